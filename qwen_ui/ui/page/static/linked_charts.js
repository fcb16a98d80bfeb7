/* Charts over one x axis: a zoom of one is a zoom of all, and the pointer stands in all of them. */
import { wholeTicks } from "./lines.js";

/** What a change of plotly's layout does to the x axis: [low, high], null for all of it, undefined
    where it is about something else. */
export const rangeOf = (change) => {
  if (change["xaxis.autorange"]) return null;
  if (change["xaxis.range"]) return change["xaxis.range"].map(Number);
  const range = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
  return range.includes(undefined) ? undefined : range.map(Number);
};

/** The x axis of plotly's layout for a range; `whole` where only whole numbers have a tick. */
export const axisOf = (range, whole) => ({
  ...(range ? { range, autorange: false } : {}),
  ...(whole && range ? wholeTicks(range[1] - range[0]) : {}),
});

const same = (a, b) => a === b || (a && b && a[0] === b[0] && a[1] === b[1]);

export class LinkedCharts {
  /** `onzoom([low, high] or null)` is called once for a zoom, whichever chart it was in. */
  constructor(onzoom) {
    this.onzoom = onzoom;
    this.charts = new Set();
    this.range = null;
  }

  /** A chart that is drawn: {plot, zoom(range), point(x or null)}. */
  add(chart) {
    this.charts.add(chart);
    chart.plot.on("plotly_relayout", (change) => this.moved(rangeOf(change), chart));
    chart.plot.on("plotly_hover", ({ points }) => this.point(points[0].x, chart));
    chart.plot.on("plotly_unhover", () => this.point(null, chart));
  }

  moved(range, from) {
    // Those that are moved here tell it as well: it is the range that we have.
    if (range === undefined || same(range, this.range)) return;
    this.range = range;
    for (const chart of this.charts) chart.zoom(range, chart === from);
    this.onzoom(range);
  }

  point(x, from) {
    for (const chart of this.charts) if (chart !== from) chart.point(x);
  }

  /** The axis is another: no range of the old one is kept. */
  forget() {
    this.range = null;
  }
}
