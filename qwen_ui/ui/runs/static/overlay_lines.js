/* What is drawn of several runs over each other, as plotly takes it. No DOM. */

const DASHES = ["solid", "dash", "dashdot"];

/** Names that begin alike, without what they share: labels have little room, and the table gives
    names in full. */
export const shortNames = (names) => {
  if (names.length < 2) return names;
  let shared = names[0].length;
  for (const name of names) while (!name.startsWith(names[0].slice(0, shared))) shared--;
  const cut = names[0].slice(0, shared).lastIndexOf("-") + 1;
  return cut > 3 ? names.map((name) => `… ${name.slice(cut)}`) : names;
};

/** The colour and dash of the run in this place; past the last colour, another dash. */
export const paintOf = (row, colours) => ({
  colour: colours[row % colours.length],
  dash: DASHES[Math.floor(row / colours.length) % DASHES.length],
});

/** A trace a line: evaluations as dots on a dotted line, all others as a line. */
export const tracesOf = (runs, hidden, colours) =>
  runs.flatMap(({ run, name, lines }, row) => {
    const { colour, dash } = paintOf(row, colours);
    const visible = hidden.has(run) ? "legendonly" : true;
    return Object.entries(lines).map(([key, [x, y]]) => {
      const dots = key === "eval";
      return {
        type: "scatter",
        hovertemplate: "%{y:.5g}",
        visible,
        x,
        y,
        mode: dots ? "lines+markers" : "lines",
        name: dots ? `${name}, evaluation` : name,
        marker: { color: colour, size: 7 },
        line: dots ? { color: colour, width: 1, dash: "dot" } : { color: colour, width: 2, dash },
      };
    });
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
