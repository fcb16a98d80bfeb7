/* What a key asks for in a tree: https://www.w3.org/WAI/ARIA/apg/patterns/treeview/ */

/* Keys that move, from a place among the visible rows to another. */
const MOVES = {
  ArrowUp: (here) => here - 1,
  ArrowDown: (here) => here + 1,
  PageUp: (here, last, page) => here - page,
  PageDown: (here, last, page) => here + page,
  Home: () => 0,
  End: (here, last) => last,
};

/* Keys that open and close. */
const FOLDS = {
  ArrowRight: (tree, row) => {
    if (!tree.hasChildren(row)) return {};
    return tree.isOpen(row) ? { to: tree.visible[tree.place[row] + 1] ?? row } : { open: row };
  },
  ArrowLeft: (tree, row) => {
    if (tree.hasChildren(row) && tree.isOpen(row)) return { close: row };
    return tree.parent[row] >= 0 ? { to: tree.parent[row] } : {};
  },
  "*": (tree, row) => ({ openSiblings: row }),
};

/**
 * @param {string} key as in KeyboardEvent.key
 * @param {import("./tree_model.js").TreeModel} tree
 * @param {number} row the active row
 * @param {number} page rows that PageUp and PageDown move by
 * @returns {object | null} one of `{to: row}`, `{open: row}`, `{close: row}`, `{openSiblings: row}`,
 *   or `{}` for a key of trees that has nothing to do here; null for any other key
 */
export const treeAction = (key, tree, row, page) => {
  if (Object.hasOwn(FOLDS, key)) return FOLDS[key](tree, row);
  if (!Object.hasOwn(MOVES, key)) return null;
  const last = tree.visible.length - 1;
  const place = MOVES[key](tree.place[row], last, page);
  return { to: tree.visible[Math.max(0, Math.min(last, place))] };
};
