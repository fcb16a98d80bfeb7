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

/** Which of ascending numbers is nearest to this one; -1 where there is none. */
export const nearest = (numbers, at) => {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < at) low = middle + 1;
    else high = middle;
  }
  if (low === numbers.length) return low - 1;
  return low > 0 && at - numbers[low - 1] <= numbers[low] - at ? low - 1 : low;
};

/** The value of a line where its x is nearest; null where it has no points. */
export const valueAt = ([x, y], at) => y[nearest(x, at)] ?? null;

const FEW_TICKS = 12;

/** plotly's ticks of an axis of counts, so wide: a tick a count where they are few, so that there is
    none between two. */
export const wholeTicks = (width) =>
  width > 0 && width <= FEW_TICKS ? { tick0: 0, dtick: 1 } : { dtick: null };

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
