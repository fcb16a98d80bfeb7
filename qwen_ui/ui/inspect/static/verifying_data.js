/* What a verification found, for the eye: the verdict, the lists, numbers of cells. No DOM. */
import { exact } from "qwen/page/format.js";

/** The lists below the grid, [title, names, how many there are], without empty ones. */
export const listsOf = ({ counts, ...record }) =>
  [
    ["Frozen but changed", "frozen_but_changed"],
    ["Trainable but unchanged", "trainable_but_unchanged"],
    ["Adapters that add nothing", "inert"],
    ["Missing", "missing"],
    ["Unexpected", "unexpected"],
  ]
    .filter(([, name]) => counts[name])
    .map(([title, name]) => [title, record[name], counts[name]]);

/** The verdict in a sentence. */
export const verdictOf = ({ kept, plan, counts }) => {
  const changed = exact(counts.changed);
  const same = exact(counts.unchanged + counts.recast);
  if (!plan) {
    return kept
      ? `No errors. Changed tensors: ${changed}; unchanged: ${same}.`
      : `Errors were found. Changed tensors: ${changed}; unchanged: ${same}.`;
  }
  return kept
    ? `The plan was kept. Changed tensors: ${changed}; unchanged: ${same}.`
    : `The plan was not kept. Changed tensors: ${changed}; unchanged: ${same}.`;
};

/** Numbers of the grid that are not 0, for its scale. */
export const movedOf = ({ values }) => values.flat().filter(Boolean);

/** Cells to mark, as the grid takes them. */
export const wrongOf = ({ wrong }) => new Set(wrong.map(([kind, block]) => `${kind} ${block}`));

/** The rank of a change, a lower bound where it is not exact. */
export const rankText = ({ rank, rank_exact: isExact }, round) => {
  if (rank === null) return "–";
  return isExact ? round(rank, 3) : `≥ ${round(rank, 3)}`;
};
