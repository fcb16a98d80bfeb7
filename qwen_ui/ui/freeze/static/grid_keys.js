/* Where keys lead in the grid: https://www.w3.org/WAI/ARIA/apg/patterns/treegrid/ */
import { HEADS } from "./grid_places.js";

/**
 * The place that a key leads to, null for any other key.
 *
 * @param {KeyboardEvent} event
 * @param {{r: number, c: number}} at the active place
 * @param {import("./grid_places.js").GridPlaces} places
 * @param {number} page rows that PageUp and PageDown move by
 */
export const placeAfterKey = (event, at, places, page) => {
  const all = event.ctrlKey || event.metaKey; // Home and End of the whole grid
  const { r, c } = at;
  const ways = {
    ArrowUp: () => ({ r: r - 1, c }),
    ArrowDown: () => ({ r: r + 1, c }),
    ArrowLeft: () => ({ r, c: r === 0 ? places.previousRole(c) : c - 1 }),
    ArrowRight: () => ({ r, c: r === 0 ? places.nextRole(c) : c + 1 }),
    Home: () => ({ r: all ? 0 : r, c: 0 }),
    End: () => ({ r: all ? places.last.r : r, c: places.last.c }),
    PageUp: () => ({ r: r - page, c }),
    PageDown: () => ({ r: r + page, c }),
  };
  return Object.hasOwn(ways, event.key) ? places.nearest(ways[event.key]()) : null;
};

/** The place that typed text leads to: digits find a block, letters a kind. */
export const placeAfterTyping = (text, at, places) => {
  const { structure } = places;
  if (/^\d+$/.test(text)) {
    const block = Number(text);
    return block < structure.blocks ? { r: places.rowOfBlock(block), c: at.c } : at;
  }
  const startsPart = (label) => label.split(".").some((part) => part.startsWith(text));
  const column = structure.columns.findIndex(({ label }) => {
    const lower = label.toLowerCase();
    return startsPart(lower) || lower.includes(text);
  });
  const r = places.isOutside(at.r) ? places.rowOfBlock(0) : at.r;
  return { r, c: column < 0 ? at.c : column + 1 };
};

/**
 * The place whose tensors Space ticks: Shift takes the row (in a head the head itself), Control the
 * column.
 */
export const placeOfSpace = (event, { r, c }) => {
  if (event.shiftKey) return { r, c: r < HEADS ? c : 0 };
  return event.ctrlKey || event.metaKey ? { r: 1, c } : { r, c };
};
