/* Several runs over each other (Runs tab): one figure's lines, labelled at their ends, and where
   their settings differ. Runs that go on are drawn on. */
import { isRefusal, messageOf } from "qwen/page/api.js";
import { logTool, pictureTools, toolRow } from "qwen/page/chart_tools.js";
import { choice, make, problemLine, write } from "qwen/page/dom.js";
import { EndLabels } from "qwen/page/end_labels.js";
import { rounded } from "qwen/page/format.js";
import { lastValue } from "qwen/page/lines.js";
import { AXES, colour, CONFIG, drawer, layout, onTheme, plotly } from "qwen/page/plotly.js";
import { placeOf, Poller } from "qwen/page/poller.js";
import { differences } from "./differences.js";
import { labelled, paintOf, shortNames, tracesOf } from "./overlay_lines.js";

const REFRESH_MS = 4000;
const COLOURS = ["accent", "role-attention", "role-mlp", "role-norm", "role-head", "role-expert"];
const MORE_COLOURS = ["role-other", "ink"];
const FIGURES = {
  loss: "loss",
  learning_rate: "learning rate",
  gradient_norm: "gradient norm",
  tokens_per_second: "tokens per second",
  memory_bytes: "memory (bytes)",
  keep_loss: "loss on the text to keep",
  kl: "KL on the text to keep",
};
const LOSS_HINT = "Lines: training loss, smoothed. Dots: evaluation loss.";

export class Overlay {
  constructor(api) {
    Object.assign(this, { api, runs: [], shown: [], over: false });
    Object.assign(this, { axis: "step", figure: "loss", log: false, hidden: new Set() });
    this.node = make("section", "qr-section qr-overlay");
    this.node.hidden = true;
    this.build();
    this.poller = new Poller({
      ask: (current) => this.ask(current),
      every: () => (this.over ? null : REFRESH_MS),
      tell: (error) => write(this.wrong, error ? messageOf(error) : ""),
      place: placeOf(this.node),
      ends: isRefusal,
    });
    onTheme(() => drawer() && this.shown.length && this.draw());
  }

  build() {
    this.plot = make("div", "qr-plot qr-overlay-plot");
    this.labels = new EndLabels(this.plot, (run) => this.toggle(run));
    this.frame = make("div", "qr-frame");
    this.frame.append(this.plot, this.labels.node);
    this.differences = make("div");
    this.wrong = problemLine();
    const title = make("h4", "", "Overlay");
    this.node.append(title, this.wrong, this.controls(), this.frame, this.differences);
  }

  controls() {
    const row = make("div", "qr-controls");
    const ask = (name) => (value) => {
      this[name] = value;
      this.poller.now();
    };
    this.hint = make("span", "q-hint");
    const log = logTool((pressed) => {
      this.log = pressed;
      if (this.shown.length) this.draw();
    });
    const shown = () => ({
      plot: this.plot,
      name: `runs-${this.figure}`,
      title: FIGURES[this.figure],
    });
    this.pictures = pictureTools(shown, (text) => write(this.wrong, text));
    for (const node of this.pictures) node.disabled = true; // until something is drawn
    row.append(
      choice("Figure", FIGURES, this.figure, ask("figure")),
      choice("X axis", AXES, this.axis, ask("axis")),
      this.hint,
      toolRow(log, ...this.pictures),
    );
    return row;
  }

  show(runs) {
    this.runs = runs;
    this.node.hidden = !runs.length;
    if (runs.length) this.poller.now();
    else this.poller.stop();
  }

  async ask(current) {
    const { runs, axis, figure } = this;
    const asked = this.api.call("overlaid", { runs, axis, figure });
    const [answer] = await Promise.all([asked, plotly()]);
    if (!current()) return;
    this.shown = answer.runs;
    this.over = answer.runs.every((run) => run.over);
    await this.draw();
    this.drawDifferences(answer.differences);
    this.node.dataset.runs = answer.runs.length;
  }

  get colours() {
    return [...COLOURS, ...MORE_COLOURS].map(colour);
  }

  toggle(run) {
    if (!this.hidden.delete(run)) this.hidden.add(run);
    this.draw();
  }

  async draw() {
    const { colours, shown } = this;
    const look = layout(this.axis, {
      height: 380,
      right: 190,
      revision: `${this.axis} ${this.figure} ${this.log}`,
      x: { rangemode: "tozero" },
      y: { type: this.log ? "log" : "linear" },
    });
    const first = !this.plot._fullLayout;
    write(this.hint, this.figure === "loss" ? LOSS_HINT : "");
    await drawer().react(this.plot, tracesOf(shown, this.hidden, colours), look, CONFIG);
    if (first) this.plot.on("plotly_afterplot", () => this.labels.place());
    for (const node of this.pictures) node.disabled = false;
    this.labels.set(this.labelsOf(shown, colours));
  }

  labelsOf(runs, colours) {
    const names = shortNames(runs.map(({ name }) => name));
    const labels = runs.map((run, row) => {
      const line = labelled(run, this.figure);
      const value = line && lastValue(line[1]);
      return {
        key: run.run,
        name: names[row],
        value,
        text: line ? rounded(value) : "",
        colour: paintOf(row, colours).colour,
        hidden: this.hidden.has(run.run),
      };
    });
    return labels.filter(({ value }) => value !== null);
  }

  drawDifferences(rows) {
    const names = this.shown.map(({ name }) => name);
    const key = JSON.stringify([names, rows]);
    if (key === this.differencesKey) return;
    this.differencesKey = key;
    const { colours } = this;
    const paints = names.map((_, row) => paintOf(row, colours).colour);
    this.differences.replaceChildren(...differences(names, paints, rows));
  }
}
