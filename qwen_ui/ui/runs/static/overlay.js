/* Several runs over each other (Runs tab): one figure's lines, labelled at their ends, and where
   their settings differ. Runs that go on are drawn on. */
import { isRefusal, messageOf } from "qwen/page/api.js";
import { logTool, pictureTools, toolRow } from "qwen/page/chart_tools.js";
import { choice, make, problemLine, write } from "qwen/page/dom.js";
import { EndLabels } from "qwen/page/end_labels.js";
import { rounded } from "qwen/page/format.js";
import { lastValue, wholeTicks } from "qwen/page/lines.js";
import { axisOf, rangeOf } from "qwen/page/linked_charts.js";
import {
  AXES,
  colour,
  CONFIG,
  drawer,
  isCounted,
  layout,
  onTheme,
  plotly,
} from "qwen/page/plotly.js";
import { placeOf, Poller } from "qwen/page/poller.js";
import { smoothingControl } from "qwen/page/smoothing.js";
import { ZoomDetail } from "qwen/page/zoom_detail.js";
import { differences } from "./differences.js";
import { groupRuns } from "./overlay_groups.js";
import { labelled, paintOf, tracesOf } from "./overlay_lines.js";
import { tellingNames } from "./overlay_names.js";

const REFRESH_MS = 4000;
const NARROW = 560; // below so many pixels the names stand under the lines
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
    Object.assign(this, { smoothing: 0.9, range: null, baseline: "", differ: [] });
    this.groupOf = (run) => ({ key: run, title: run });
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
    this.detail = new ZoomDetail({
      ask: (range) => this.answer(range),
      show: (answer) => this.take(answer),
      restore: () => this.poller.now(),
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
      if (name === "axis") this.range = null;
      this.detail.forget();
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
      smoothingControl(this.smoothing, ask("smoothing")),
      this.hint,
      toolRow(log, ...this.pictures),
    );
    return row;
  }

  /** Lay these runs over each other; those of one group are drawn as one, by their mean. */
  show(runs, { baseline, groupOf }) {
    Object.assign(this, { runs, baseline, groupOf });
    this.node.hidden = !runs.length;
    if (runs.length) this.poller.now();
    else this.poller.stop();
  }

  regroup(groupOf) {
    this.groupOf = groupOf;
    if (!this.shown.length || !drawer()) return;
    this.draw();
    this.drawDifferences(this.differ);
  }

  answer(range) {
    const { runs, axis, figure, smoothing } = this;
    return this.api.call("overlaid", { runs, axis, figure, smoothing, between: range });
  }

  async ask(current) {
    const [answer] = await Promise.all([this.answer(null), plotly()]);
    if (!current()) return;
    this.over = answer.runs.every((run) => run.over);
    // Where a part is looked at that was fetched by itself, it stays until the runs go on.
    if (this.detail.shown && this.over) return;
    await this.take(answer);
    if (this.range) this.detail.again();
  }

  async take(answer) {
    this.shown = answer.runs;
    this.differ = answer.differences;
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

  /* The runs under names that tell them apart, those of a group as one. */
  drawn() {
    const names = tellingNames(this.shown, this.differ);
    const named = this.shown.map((run, row) => ({ ...run, name: names[row] }));
    const keys = new Set(named.map(({ run }) => this.groupOf(run).key));
    return keys.size < named.length ? this.grouped(named) : named;
  }

  grouped(named) {
    const groups = groupRuns(named, this.groupOf);
    return groups.map((group) =>
      group.members > 1
        ? { ...group, name: `${group.name}, mean of ${group.members}` }
        : { ...group, name: named.find(({ run }) => this.groupOf(run).key === group.run).name },
    );
  }

  async draw() {
    const { colours, axis } = this;
    const runs = this.drawn();
    const ends = runs.flatMap(({ lines }) => Object.values(lines).map(([x]) => x.at(-1) ?? 0));
    const ticks = isCounted(axis) && !this.range ? wholeTicks(Math.max(0, ...ends)) : {};
    const narrow = this.plot.clientWidth < NARROW;
    this.frame.classList.toggle("qr-narrow", narrow);
    const look = layout(axis, {
      height: 380,
      right: narrow ? 12 : 270,
      revision: `${axis} ${this.figure} ${this.log}`,
      x: { rangemode: "tozero", ...ticks, ...axisOf(this.range, isCounted(axis)) },
      y: { type: this.log ? "log" : "linear" },
    });
    const first = !this.plot._fullLayout;
    write(this.hint, this.figure === "loss" ? LOSS_HINT : "");
    const baseline = this.groupOf(this.baseline).key;
    const traces = tracesOf(runs, this.hidden, colours, this.baseline && baseline);
    await drawer().react(this.plot, traces, look, CONFIG);
    if (first) this.listen();
    for (const node of this.pictures) node.disabled = false;
    this.labels.set(this.labelsOf(runs, colours));
  }

  listen() {
    this.plot.on("plotly_afterplot", () => this.labels.place());
    this.plot.on("plotly_relayout", (change) => {
      const range = rangeOf(change);
      if (range === undefined) return;
      this.range = range;
      this.detail.to(range);
    });
  }

  labelsOf(runs, colours) {
    const labels = runs.map((run, row) => {
      const line = labelled(run, this.figure);
      const value = line && lastValue(line[1]);
      return {
        key: run.run,
        name: run.name,
        value,
        text: line ? rounded(value) : "",
        colour: paintOf(row, colours).colour,
        hidden: this.hidden.has(run.run),
      };
    });
    return labels.filter(({ value }) => value !== null);
  }

  drawDifferences(rows) {
    const names = tellingNames(this.shown, rows);
    const key = JSON.stringify([names, rows, this.shown.map(({ run }) => this.groupOf(run).key)]);
    if (key === this.differencesKey) return;
    this.differencesKey = key;
    const { colours } = this;
    const groups = [...new Set(this.shown.map(({ run }) => this.groupOf(run).key))];
    const paints = this.shown.map(
      ({ run }) => paintOf(groups.indexOf(this.groupOf(run).key), colours).colour,
    );
    this.differences.replaceChildren(...differences(names, paints, rows));
  }
}
