/* A chart that grows in place: it extends its lines, so zoom, hover and hidden lines stay. */
import { logTool, pictureTools, toolRow } from "./chart_tools.js";
import { button, make, problemLine, write } from "./dom.js";
import { EndLabels } from "./end_labels.js";
import { bytes, rounded } from "./format.js";
import { held, lastValue, NO_LINE } from "./lines.js";
import { AXES, colour, CONFIG, drawer, layout } from "./plotly.js";

const FEW_POINTS = 40;
const NEAR = "200px"; // below the window, a chart is drawn already
const NAMES = { loss: "training", smooth: "smoothed", eval: "evaluation" };
const STYLES = {
  loss: () => ({ line: { color: colour("frozen"), width: 1 }, opacity: 0.8 }),
  smooth: () => ({ line: { color: colour("accent"), width: 2.4 } }),
  eval: () => ({
    mode: "lines+markers",
    line: { color: colour("role-attention"), width: 2 },
    marker: { size: 7 },
  }),
};
const OTHER_STYLE = () => ({ line: { color: colour("accent"), width: 1.6 } });
const styleOf = (line) => (STYLES[line] || OTHER_STYLE)();
const traceOf = (line, [x, y]) => ({
  type: "scatter",
  mode: "lines",
  marker: { size: 4 },
  name: NAMES[line] || line,
  hovertemplate: "%{y:.5g}",
  ...styleOf(line),
  x,
  y,
});

export class Chart {
  /**
   * @param view what the chart is of: `axis`, `run` (names the pictures) and `saveCsv()`.
   * @param spec key, title, lines (their names); bytes, zero (the y axis begins there) and main
   *   (large, with labels) where they hold.
   */
  constructor(view, spec) {
    Object.assign(this, { view, spec, log: false, few: false, drawn: false, seen: false });
    this.waiting = {}; // lines that are not drawn yet
    this.work = Promise.resolve();
    this.now = make("span", "qr-now");
    this.wrong = problemLine();
    this.plot = make("div", "qr-plot");
    this.node = make("figure", spec.main ? "qr-chart qr-main" : "qr-chart");
    this.node.append(this.heading(), this.wrong, this.makeFrame());
    this.node.hidden = !spec.main;
    this.watchWindow();
  }

  heading() {
    const { key, title } = this.spec;
    const say = (text) => write(this.wrong, text);
    const shown = () => ({ plot: this.plot, name: `${this.view.run}-${key}`, title });
    this.pictures = pictureTools(shown, say);
    for (const node of this.pictures) node.disabled = true; // until there is something to save
    const csv = button(
      "CSV",
      "qr-tool",
      () => this.view.saveCsv(say),
      "Download every recorded step as CSV",
    );
    const head = make("figcaption", "qr-chart-head");
    const log = logTool((pressed) => this.scale(pressed));
    head.append(make("span", "qr-chart-title", title), this.now);
    head.append(toolRow(log, ...this.pictures, csv));
    return head;
  }

  makeFrame() {
    this.frame = make("div", "qr-frame");
    this.frame.style.minHeight = `${this.height}px`;
    this.frame.append(this.plot);
    if (this.spec.main) {
      this.labels = new EndLabels(this.plot, (line) => this.toggleLine(line));
      this.frame.append(this.labels.node);
      this.frame.dataset.wait = "The curve begins with the first step.";
    }
    return this.frame;
  }

  /* What comes is drawn when the chart is in view, so an update costs what is seen of it. */
  watchWindow() {
    const watch = new IntersectionObserver(
      (entries) => {
        this.seen = entries.at(-1).isIntersecting;
        if (this.seen) this.flush();
      },
      { rootMargin: NEAR },
    );
    watch.observe(this.node);
  }

  get height() {
    return this.spec.main ? 320 : 170;
  }

  layout() {
    const y = {
      type: this.log ? "log" : "linear",
      rangemode: this.spec.zero && !this.log ? "tozero" : "normal",
    };
    if (this.spec.bytes) Object.assign(y, { tickformat: ".4~s", ticksuffix: "B" });
    const right = this.spec.main ? 132 : 12;
    return layout(this.view.axis, { height: this.height, right, y, x: { rangemode: "tozero" } });
  }

  text(value) {
    if (value === null || value === undefined) return "";
    return this.spec.bytes ? bytes(value) : rounded(value);
  }

  /** Take in what is new of all lines, by name; drawn now, or with what comes after it. */
  take(lines, draw = true) {
    const mine = this.spec.lines.filter((line) => lines[line]).map((line) => [line, lines[line]]);
    this.waiting = held(this.waiting, Object.fromEntries(mine));
    const first = lines[this.spec.lines[0]];
    if (first) {
      this.node.hidden = false;
      if (!this.labels) write(this.now, this.text(lastValue(first[1])));
    }
    return draw ? this.flush() : this.work;
  }

  /* One after the other: plotly's calls must not overlap. */
  flush() {
    this.work = this.work.catch(() => {}).then(() => this.drawWaiting()); // told to who waited
    return this.work;
  }

  async drawWaiting() {
    const lines = this.waiting;
    if (!drawer() || !this.seen || !Object.keys(lines).length) return;
    this.waiting = {};
    await (this.drawn ? this.extend(lines) : this.begin(lines));
    await this.markFew();
    this.label();
  }

  async begin(lines) {
    const traces = this.spec.lines.map((line) => traceOf(line, lines[line] || NO_LINE));
    this.drawn = true;
    delete this.frame.dataset.wait;
    await drawer().newPlot(this.plot, traces, this.layout(), CONFIG);
    for (const node of this.pictures) node.disabled = false;
    if (this.labels) this.plot.on("plotly_afterplot", () => this.labels.place());
  }

  extend(lines) {
    const rows = [...this.spec.lines.keys()].filter((row) => lines[this.spec.lines[row]]);
    const part = (i) => rows.map((row) => lines[this.spec.lines[row]][i]);
    return drawer().extendTraces(this.plot, { x: part(0), y: part(1) }, rows);
  }

  /* A line of a few points shows them: one alone would be no line at all. */
  async markFew() {
    const few = this.plot.data[0].x.length < FEW_POINTS;
    if (few === this.few) return;
    this.few = few;
    const rows = [...this.spec.lines.keys()].filter((row) => this.spec.lines[row] !== "eval");
    await drawer().restyle(this.plot, { mode: few ? "lines+markers" : "lines" }, rows);
  }

  label() {
    if (!this.labels) return;
    const labels = this.plot.data.map(({ name, y, visible }, row) => {
      const line = this.spec.lines[row];
      const value = lastValue(y);
      const paint = line === "loss" ? colour("muted") : styleOf(line).line.color;
      const hidden = visible === "legendonly";
      return { key: line, name, value, text: this.text(value), colour: paint, hidden };
    });
    this.labels.set(labels.filter((label) => label.value !== null));
  }

  async toggleLine(line) {
    const row = this.spec.lines.indexOf(line);
    const hidden = this.plot.data[row].visible === "legendonly";
    await drawer().restyle(this.plot, { visible: hidden ? true : "legendonly" }, [row]);
    this.label();
  }

  /** Take all points away; the zoom stays, unless it was one of another axis. */
  clear(axisChanged) {
    this.waiting = {};
    this.work = this.work.then(async () => {
      if (!this.drawn) return;
      const empty = () => this.plot.data.map(() => []);
      const range = axisChanged
        ? { "xaxis.title.text": AXES[this.view.axis], "xaxis.autorange": true }
        : {};
      await drawer().update(this.plot, { x: empty(), y: empty() }, range);
    });
  }

  scale(log) {
    this.log = log;
    if (!this.drawn) return;
    const type = log ? "log" : "linear";
    drawer().relayout(this.plot, { "yaxis.type": type, "yaxis.autorange": true });
  }

  /** Draw it in the colours of the present theme. */
  recolour() {
    if (!this.drawn) return;
    const data = this.plot.data.map((old, row) => {
      const { mode } = old;
      return { ...old, ...styleOf(this.spec.lines[row]), mode };
    });
    drawer().react(this.plot, data, this.layout(), CONFIG);
    this.label();
  }
}
