/* How far each block's trained tensors are from where they began: now, and step by step. */
import { make } from "./dom.js";
import { exact } from "./format.js";
import { colour, CONFIG, drawer, keepFitting, layout } from "./plotly.js";

const HEIGHT = 190;
const ABOUT =
  "The norm of the change since the first step, block by block. Frozen blocks do not move.";

/** Blocks of all events, and the norm of each at each event: {steps, blocks, norms}. Of a step that
    was recorded twice the later one counts. */
export const movementGrid = (events) => {
  const byStep = new Map(events.map((event) => [event.step, new Map(event.blocks)]));
  const blocks = [...new Set(events.flatMap((event) => event.blocks.map(([block]) => block)))];
  blocks.sort((a, b) => a - b);
  const norms = blocks.map((block) => [...byStep.values()].map((at) => at.get(block) ?? null));
  return { steps: [...byStep.keys()], blocks, norms };
};

export class Movement {
  constructor() {
    this.node = make("section", "qr-section");
    this.clear();
  }

  clear() {
    this.events = [];
    this.node.replaceChildren();
    this.node.hidden = true;
  }

  take(events) {
    if (!events.length) return undefined;
    const again = new Set(events.map((event) => event.step));
    this.events = [...this.events.filter((old) => !again.has(old.step)), ...events];
    return this.draw();
  }

  async draw() {
    const latest = this.events.at(-1);
    if (!latest?.blocks.length || !drawer()) return;
    if (!this.node.firstChild) this.build();
    await Promise.all([this.drawNow(latest), this.drawPath()]);
  }

  build() {
    this.now = keepFitting(make("div", "qr-plot qr-movement"));
    this.path = keepFitting(make("div", "qr-plot"));
    const pair = make("div", "qr-pair");
    pair.append(this.now, this.path);
    const title = make("h4", "", "How far the trained tensors have moved");
    this.node.append(title, make("p", "q-hint", ABOUT), pair);
    this.node.hidden = false;
  }

  drawNow({ step, blocks }) {
    const numbers = blocks.map(([block]) => block);
    const data = {
      type: "bar",
      x: numbers,
      y: blocks.map(([, norm]) => norm),
      marker: { color: colour("accent") },
      hovertemplate: "block %{x}: %{y:.4g}<extra></extra>",
    };
    const x = {
      title: { text: "block", standoff: 6 },
      tickformat: "d",
      range: [-0.5, Math.max(...numbers) + 0.5],
      showgrid: false,
    };
    const y = { rangemode: "tozero", title: { text: `at step ${exact(step)}`, standoff: 4 } };
    const look = layout("block", { height: HEIGHT, x, y });
    Object.assign(look, frozenGround(Math.min(...numbers)), { hovermode: "closest", bargap: 0.2 });
    return drawer().react(this.now, [data], look, CONFIG);
  }

  drawPath() {
    const { steps, blocks, norms } = movementGrid(this.events);
    const data = {
      type: "heatmap",
      x: steps,
      y: blocks.map(String),
      z: norms,
      zmin: 0,
      colorscale: [
        [0, colour("frozen-soft")],
        [1, colour("accent")],
      ],
      colorbar: { thickness: 8, outlinewidth: 0, tickfont: { color: colour("muted") } },
      hovertemplate: "step %{x}, block %{y}: %{z:.4g}<extra></extra>",
    };
    const y = { type: "category", showgrid: false, title: { text: "block", standoff: 4 } };
    const look = layout("step", { height: HEIGHT, x: { showgrid: false }, y });
    return drawer().react(this.path, [data], { ...look, hovermode: "closest" }, CONFIG);
  }
}

/* The blocks before the first that trains, as a ground with words. */
const frozenGround = (first) => {
  if (first <= 0) return {};
  const ground = {
    type: "rect",
    xref: "x",
    yref: "paper",
    x0: -0.5,
    x1: first - 0.5,
    y0: 0,
    y1: 1,
    fillcolor: colour("frozen-soft"),
    line: { width: 0 },
    layer: "below",
  };
  const text = `${first} frozen ${first === 1 ? "block" : "blocks"}`;
  const font = { color: colour("muted") };
  const words = {
    x: (first - 1) / 2,
    xref: "x",
    yref: "paper",
    y: 0.5,
    text,
    showarrow: false,
    font,
  };
  return { shapes: [ground], annotations: [words] };
};
