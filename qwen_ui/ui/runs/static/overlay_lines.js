/* What is drawn of several runs over each other, as plotly takes it. No DOM. */

const DASHES = ["solid", "dash", "dashdot"];

/** The colour and dash of the run in this place; past the last colour, another dash. */
export const paintOf = (row, colours) => ({
  colour: colours[row % colours.length],
  dash: DASHES[Math.floor(row / colours.length) % DASHES.length],
});

/* How far a group of runs spreads, as a ground in its colour. */
const bandOf = ({ x, low, high }, colour, visible) => ({
  type: "scatter",
  mode: "lines",
  x: [...x, ...x.toReversed()],
  y: [...high, ...low.toReversed()],
  fill: "toself",
  fillcolor: colour,
  opacity: 0.16,
  line: { width: 0 },
  hoverinfo: "skip",
  visible,
});

/** A trace a line: evaluations as dots on a dotted line, all others as a line; below those of a
    group, how far it spreads. The baseline is drawn thicker. */
export const tracesOf = (runs, hidden, colours, baseline = "") =>
  runs.flatMap(({ run, name, lines, bands = {} }, row) => {
    const { colour, dash } = paintOf(row, colours);
    const visible = hidden.has(run) ? "legendonly" : true;
    const width = run === baseline ? 3.5 : 2;
    const grounds = Object.values(bands).map((band) => bandOf(band, colour, visible));
    const drawn = Object.entries(lines).map(([key, [x, y]]) => {
      const dots = key === "eval";
      return {
        type: "scatter",
        cliponaxis: false,
        hovertemplate: "%{y:.5g}",
        visible,
        x,
        y,
        mode: dots ? "lines+markers" : "lines",
        name: dots ? `${name}, evaluation` : name,
        marker: { color: colour, size: 7 },
        line: dots ? { color: colour, width: 1, dash: "dot" } : { color: colour, width, dash },
      };
    });
    return [...grounds, ...drawn];
  });

/** The line whose end bears the run's name: that of the figure, else its evaluations. */
export const labelled = ({ lines }, figure) =>
  lines[figure === "loss" ? "smooth" : figure] ?? lines.eval ?? null;

/** The value that most of these share; null where each stands alone. */
export const commonValue = (values) => {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const [value, count] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
  return count > 1 ? value : null;
};
