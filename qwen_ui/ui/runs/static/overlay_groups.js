/* Runs of one plan and several seeds as one line: their mean, and how far they spread. No DOM. */

const MOST_PLACES = 400; // of the mean's line

/* The line's value at x, between its points; null outside of it and beside a gap. */
const at = ([xs, ys], x, from) => {
  let i = from;
  while (i + 1 < xs.length && xs[i + 1] <= x) i++;
  if (!xs.length || x < xs[0] || x > xs.at(-1)) return [null, i];
  if (xs[i] === x || i + 1 === xs.length) return [ys[i], i];
  const [a, b] = [ys[i], ys[i + 1]];
  if (a === null || b === null) return [null, i];
  return [a + ((b - a) * (x - xs[i])) / (xs[i + 1] - xs[i]), i];
};

/** The mean of these lines and their standard deviation, where all of them are: {x, mean, spread}.
    One line alone spreads by 0. */
export const meanLine = (lines) => {
  const all = [...new Set(lines.flatMap(([x]) => x))].sort((a, b) => a - b);
  const every = Math.ceil(all.length / MOST_PLACES);
  const places = all.filter((_, i) => i % every === 0 || i === all.length - 1);
  const found = { x: [], mean: [], spread: [] };
  const from = lines.map(() => 0);
  for (const x of places) {
    const values = lines.map((line, i) => {
      const [value, place] = at(line, x, from[i]);
      from[i] = place;
      return value;
    });
    if (values.includes(null)) continue;
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    found.x.push(x);
    found.mean.push(mean);
    found.spread.push(values.length > 1 ? Math.sqrt(square / (values.length - 1)) : 0);
  }
  return found;
};

/**
 * The runs put together by their groups.
 * @param runs [{run, name, lines}], lines by key.
 * @param groupOf gives {key, title} of a run's name.
 * @returns [{run, name, members, lines, bands}]: `run` the group's key; `bands` by line, {x, low,
 *   high}, where there are several members.
 */
export const groupRuns = (runs, groupOf) => {
  const groups = new Map();
  for (const run of runs) {
    const { key, title } = groupOf(run.run);
    if (!groups.has(key)) groups.set(key, { run: key, name: title, of: [] });
    groups.get(key).of.push(run);
  }
  return [...groups.values()].map(({ run, name, of }) => {
    const [lines, bands] = [{}, {}];
    for (const key of Object.keys(of[0].lines)) {
      const all = of.map((one) => one.lines[key]).filter(Boolean);
      const { x, mean, spread } = meanLine(all);
      lines[key] = [x, mean];
      if (all.length > 1) {
        bands[key] = {
          x,
          low: mean.map((value, i) => value - spread[i]),
          high: mean.map((value, i) => value + spread[i]),
        };
      }
    }
    return { run, name, members: of.length, lines, bands };
  });
};
