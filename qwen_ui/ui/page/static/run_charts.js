/* The charts of a run, and how they are looked at: smoothing and the x axis. */
import { Chart } from "./chart.js";
import { choice, make } from "./dom.js";
import { LinkedCharts } from "./linked_charts.js";
import { AXES } from "./plotly.js";
import { smoothingControl } from "./smoothing.js";

// Drawing the loss takes a twentieth of the time (or 2 s lie between), however slow the machine or
// many the tabs; the small charts are drawn at every fourth update.
const SOONEST_MS = 700;
const LATEST_MS = 2000;
const PAUSES = 20;
const SMALL_EVERY = 4;
const HINT =
  "Drag to zoom all charts, double-click to see all steps, click a name to hide its line.";
const CHARTS = [
  {
    key: "loss",
    title: "Loss (nats per token)",
    lines: ["loss", "smooth", "eval"],
    main: true,
    nats: true,
  },
  { key: "keep_loss", title: "Loss on the text to keep", lines: ["keep_loss"], nats: true },
  { key: "kl", title: "KL on the text to keep", lines: ["kl"], zero: true, nats: true },
  { key: "learning_rate", title: "Learning rate", lines: ["learning_rate"] },
  { key: "gradient_norm", title: "Gradient norm", lines: ["gradient_norm"] },
  {
    key: "tokens_per_second",
    title: "Tokens per second",
    lines: ["tokens_per_second"],
    zero: true,
    whole: true,
  },
  {
    key: "memory_bytes",
    title: "Peak memory so far",
    lines: ["memory_bytes"],
    bytes: true,
    zero: true,
  },
  { key: "busy_percent", title: "Use of the device (%)", lines: ["busy_percent"], zero: true },
  {
    key: "used_bytes",
    title: "Memory in use, by all programs",
    lines: ["used_bytes"],
    bytes: true,
    zero: true,
  },
  { key: "celsius", title: "GPU temperature (°C)", lines: ["celsius"] },
  { key: "watts", title: "GPU power (W)", lines: ["watts"], zero: true },
];

export class RunCharts {
  /**
   * @param run its name.
   * @param look {smoothing, axis}: kept by whoever shows one run after the other.
   * @param saveCsv offers the run's steps as a file; it is given what says a problem.
   * @param onlook is called after a change of `look`, with whether it was the axis.
   * @param onzoom is called with the part of the axis that is looked at, null for all of it.
   */
  constructor({ run, look, saveCsv, onlook, onzoom }) {
    Object.assign(this, { run, look, saveCsv, onlook });
    this.linked = new LinkedCharts(onzoom);
    this.restart();
    this.charts = CHARTS.map((spec) => new Chart(this, spec));
    const [main, ...small] = this.charts;
    this.small = make("div", "qr-grid");
    this.small.append(...small.map((chart) => chart.node));
    this.controls = this.makeControls();
    this.main = main;
  }

  get axis() {
    return this.look.axis;
  }

  makeControls() {
    const row = make("div", "qr-controls");
    const slider = smoothingControl(this.look.smoothing, (share) => {
      this.look.smoothing = share;
      this.onlook(false);
    });
    const axes = choice("X axis", AXES, this.axis, (axis) => {
      this.look.axis = axis;
      this.onlook(true);
    });
    row.append(slider, axes, make("span", "q-hint", HINT));
    return row;
  }

  restart() {
    this.pause = SOONEST_MS; // milliseconds until the next update
    this.untilSmall = 0;
  }

  /** Draw what is new of the lines. The loss comes first and is painted; `all` draws the small
      charts as well, whosever turn it is. */
  async take(lines, all) {
    const [main, ...small] = this.charts;
    const began = performance.now();
    const due = all || this.untilSmall-- <= 0;
    if (due) this.untilSmall = SMALL_EVERY - 1;
    await main.take(lines);
    const took = performance.now() - began;
    this.pause = Math.min(LATEST_MS, Math.max(SOONEST_MS, PAUSES * took));
    await new Promise((painted) => setTimeout(painted));
    await Promise.all(small.map((chart) => chart.take(lines, due)));
  }

  /** Show these lines, all by name, in place of what is drawn. */
  replace(lines) {
    return Promise.all(this.charts.map((chart) => chart.replace(lines)));
  }

  clear(axisChanged) {
    if (axisChanged) this.linked.forget();
    for (const chart of this.charts) chart.clear(axisChanged);
  }

  recolour() {
    for (const chart of this.charts) chart.recolour();
  }
}
