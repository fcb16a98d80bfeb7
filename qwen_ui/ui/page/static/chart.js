/* A chart that grows in place: it extends its lines, so zoom, hover and hidden lines stay. Longer
   than others: whatever is asked of a chart is queued on one plot, whose calls must not overlap; its
   looks, tools and labels have files of their own. */
import { styleOf, traceOf } from "./chart_style.js";
import { logTool, pictureTools, toolRow } from "./chart_tools.js";
import { Crosshair } from "./crosshair.js";
import { button, make, problemLine, write } from "./dom.js";
import { EndLabels } from "./end_labels.js";
import { bytes, nats, rounded } from "./format.js";
import { held, lastValue, NO_LINE, valueAt, wholeTicks } from "./lines.js";
import { axisOf } from "./linked_charts.js";
import { AXES, colour, CONFIG, drawer, isCounted, layout } from "./plotly.js";

const FEW_POINTS = 40;
const GIGA = 1e9;
const NARROW = 560; // below so many pixels the names stand under the lines
const NEAR = "200px"; // below the window, a chart is drawn already
export class Chart {
  /**
   * @param view what the chart is of: `axis`, `run` (names the pictures), `saveCsv()` and `linked`
   *   (`LinkedCharts`, those that are zoomed together).
   * @param spec key, title, lines (their names); bytes, nats, whole (its values),
   *   zero (the y axis begins there) and main (large, with labels) where they hold.
   */
  constructor(view, spec) {
    Object.assign(this, { view, spec, log: false, few: false, drawn: false, seen: false });
    this.end = 0; // the largest x that is drawn
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
    this.crosshair = new Crosshair(this.plot);
    this.frame.append(this.plot, this.crosshair.node);
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
        if (!this.seen) return;
        this.fit();
        this.flush();
      },
      { rootMargin: NEAR },
    );
    watch.observe(this.node);
  }

  /* A plot follows the window while it is shown: one that was hidden meanwhile has the old width. */
  fit() {
    const { clientWidth } = this.frame;
    if (this.drawn && clientWidth && this.plot._fullLayout?.width !== clientWidth) {
      drawer().Plots.resize(this.plot);
    }
  }

  get height() {
    return this.spec.main ? 320 : 170;
  }

  layout() {
    const y = {
      type: this.log ? "log" : "linear",
      rangemode: this.spec.zero && !this.log ? "tozero" : "normal",
    };
    if (this.spec.bytes) y.ticksuffix = " GB";
    if (this.spec.whole) y.tickformat = ",";
    const narrow = this.plot.clientWidth < NARROW;
    this.frame.classList.toggle("qr-narrow", narrow);
    const right = this.spec.main && !narrow ? 132 : 12;
    return layout(this.view.axis, { height: this.height, right, y, x: this.across() });
  }

  /* The x axis: what all charts are zoomed to, and whole numbers where it counts. */
  across() {
    const { range } = this.view.linked;
    const counted = isCounted(this.view.axis);
    const ticks = counted && !range ? wholeTicks(this.end) : {};
    return { rangemode: "tozero", ...ticks, ...axisOf(range, counted) };
  }

  text(value) {
    if (value === null || value === undefined) return "";
    if (this.spec.bytes) return bytes(value * GIGA);
    return this.spec.nats ? nats(value) : rounded(value);
  }

  /* Memory is drawn in GB: plotly's own prefixes stand between number and unit, as in 400MB. */
  scaled([x, y]) {
    return this.spec.bytes ? [x, y.map((value) => value && value / GIGA)] : [x, y];
  }

  /** Take in what is new of all lines, by name; drawn now, or with what comes after it. */
  take(lines, draw = true) {
    const mine = this.spec.lines.filter((line) => lines[line]);
    const scaled = Object.fromEntries(mine.map((line) => [line, this.scaled(lines[line])]));
    this.waiting = held(this.waiting, scaled);
    const first = scaled[this.spec.lines[0]];
    if (first) {
      this.node.hidden = false;
      delete this.frame.dataset.wait; // drawn once it is in view
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
    const before = wholeTicks(this.end).dtick;
    this.end = Math.max(this.end, ...Object.values(lines).map(([x]) => x.at(-1)));
    const { dtick } = wholeTicks(this.end);
    await (this.drawn ? this.extend(lines) : this.begin(lines));
    if (dtick !== before && !this.view.linked.range && isCounted(this.view.axis)) {
      await drawer().relayout(this.plot, { "xaxis.dtick": dtick });
    }
    await this.markFew();
    this.label();
  }

  async begin(lines) {
    const traces = this.spec.lines.map((line) => traceOf(line, lines[line] || NO_LINE));
    this.drawn = true;
    await drawer().newPlot(this.plot, traces, this.layout(), CONFIG);
    for (const node of this.pictures) node.disabled = false;
    this.view.linked.add(this);
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

  label(at = null) {
    if (!this.labels) return;
    const labels = this.plot.data.map(({ name, x, y, visible }, row) => {
      const line = this.spec.lines[row];
      const value = lastValue(y);
      const told = at === null ? value : valueAt([x, y], at);
      const paint = line === "loss" ? colour("muted") : styleOf(line).line.color;
      const hidden = visible === "legendonly";
      return { key: line, name, value, text: this.text(told), colour: paint, hidden };
    });
    this.labels.set(labels.filter((label) => label.value !== null));
  }

  async toggleLine(line) {
    const row = this.spec.lines.indexOf(line);
    const hidden = this.plot.data[row].visible === "legendonly";
    await drawer().restyle(this.plot, { visible: hidden ? true : "legendonly" }, [row]);
    this.label();
  }

  /** Show these lines in place of what is drawn; what waits comes after them. */
  replace(lines) {
    this.work = this.work.then(async () => {
      if (!this.drawn) return;
      const mine = this.spec.lines.map((line) => this.scaled(lines[line] || NO_LINE));
      await drawer().restyle(this.plot, { x: mine.map(([x]) => x), y: mine.map(([, y]) => y) });
    });
    return this.work;
  }

  /** Look at this part of the axis, null for all of it; `own` where it was zoomed here. */
  zoom(range, own) {
    const counted = isCounted(this.view.axis);
    const dtick = counted ? wholeTicks(range ? range[1] - range[0] : this.end).dtick : undefined;
    const change = {};
    if (counted) change["xaxis.dtick"] = dtick;
    if (!own) Object.assign(change, range ? { "xaxis.range": range } : { "xaxis.autorange": true });
    if (Object.keys(change).length) drawer().relayout(this.plot, change);
  }

  /** Show the values at this x, where the pointer is in another chart; null shows the last. */
  point(x) {
    this.crosshair.at(x);
    if (this.labels) this.label(x);
    else {
      const { data } = this.plot;
      const value = x === null ? lastValue(data[0].y) : valueAt([data[0].x, data[0].y], x);
      write(this.now, this.text(value));
    }
  }

  /** Take all points away; the zoom stays, unless it was one of another axis. */
  clear(axisChanged) {
    this.waiting = {};
    this.end = 0;
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
