/* How each line of a run's chart looks, and its trace as plotly takes it. */
import { colour } from "./plotly.js";

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

/** A line's colour and width in the present theme. */
export const styleOf = (line) => (STYLES[line] || OTHER_STYLE)();

/** The trace of a line by its name. */
export const traceOf = (line, [x, y]) => ({
  type: "scatter",
  mode: "lines",
  marker: { size: 4 },
  name: NAMES[line] || line,
  cliponaxis: false, // a point on the axis is whole
  hovertemplate: "%{y:.5g}",
  ...styleOf(line),
  x,
  y,
});
