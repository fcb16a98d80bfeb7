/* Runs that are alike but for their seed, or members of one comparison, as one row. No DOM. */
import { calledBy } from "./run_columns.js";

/** What runs can be put together by, as people read it. */
export const GROUPINGS = {
  "": "each run",
  seed: "runs that differ by seed",
  comparison: "comparison",
};

const ALIKE = ["plan", "model", "data", "learning_rate", "steps"];

/**
 * What a run is put together with.
 * @param by of `GROUPINGS`.
 * @param members {run: comparison}.
 * @returns {key, title}; a run that belongs to none is a group of its own.
 */
export const groupOf = (record, by, members) => {
  const alone = { key: record.run, title: calledBy(record) };
  if (by === "seed") {
    return { key: JSON.stringify(ALIKE.map((name) => record[name])), title: record.plan };
  }
  const comparison = by === "comparison" && members[record.run];
  if (!comparison) return alone;
  return { key: JSON.stringify([comparison, record.plan]), title: record.plan, comparison };
};

const MEASURED = ["loss", "eval_before", "eval_after", "forgetting", "kl", "elapsed"];

/* Mean and standard deviation of what is known: null where nothing is. */
const statistics = (values) => {
  const known = values.filter((value) => typeof value === "number");
  if (!known.length) return null;
  const mean = known.reduce((a, b) => a + b, 0) / known.length;
  if (known.length < 2) return { mean, spread: null, count: known.length };
  const square = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const spread = Math.sqrt(square / (known.length - 1));
  // What rounding leaves of equal numbers is no spread.
  return { mean, spread: spread > 1e-12 * Math.abs(mean) ? spread : 0, count: known.length };
};

/** The rows in their groups, in the order of each group's first row: [{key, title, comparison, rows,
    seeds, measured}]; `measured` is {mean, spread, count} by column, of completed runs. */
export const groupRows = (rows, by, members) => {
  const groups = new Map();
  for (const record of rows) {
    const { key, ...told } = groupOf(record, by, members);
    if (!groups.has(key)) groups.set(key, { key, ...told, rows: [] });
    groups.get(key).rows.push(record);
  }
  return [...groups.values()].map((group) => {
    const done = group.rows.filter(({ status }) => status === "completed");
    const of = (name) => statistics(done.map((record) => record[name]));
    const seeds = [...new Set(group.rows.map(({ seed }) => seed ?? 0))].sort((a, b) => a - b);
    return { ...group, seeds, measured: Object.fromEntries(MEASURED.map((n) => [n, of(n)])) };
  });
};
