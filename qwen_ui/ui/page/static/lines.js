/* What charts and their labels need to know of lines. A line is [x, y]; y is null where there is a
   gap. Nothing here knows the page. */

export const NO_LINE = [[], []];

/** Two parts of a line as one. */
export const joined = ([x, y], [moreX, moreY]) => [x.concat(moreX), y.concat(moreY)];

/** What is held of lines by name, and what is new of some of them. */
export const held = (lines, fresh) => {
  const all = { ...lines };
  for (const [name, line] of Object.entries(fresh)) {
    all[name] = all[name] ? joined(all[name], line) : line;
  }
  return all;
};

/** The last value that is no gap; null where there is none. */
export const lastValue = (values) => values.findLast((value) => value !== null) ?? null;

/** Pixels as near to these as leaves `gap` between two neighbours, within top and bottom.
    Where there is not room enough, the highest give way. */
export const spread = (pixels, top, bottom, gap) => {
  const inside = (pixel) => Math.min(bottom, Math.max(top, pixel));
  const order = pixels.map((pixel, row) => ({ row, y: inside(pixel) })).sort((a, b) => a.y - b.y);
  order.forEach((at, i) => {
    if (i > 0) at.y = Math.max(at.y, order[i - 1].y + gap);
  });
  order.reverse().forEach((at, i) => {
    at.y = Math.min(at.y, bottom - i * gap);
  });
  const placed = pixels.slice();
  for (const { row, y } of order) placed[row] = y;
  return placed;
};
