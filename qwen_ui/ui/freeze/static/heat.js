/* Numbers as shades: what cells and blocks of the grid are shaded by. */
import { rounded, shortCount } from "qwen/page/format.js";

const LOG_FROM = 5; // a wider span than this is shown on a logarithmic scale
const TAIL = 0.02; // of the cells on either side do not stretch the scale
const EXACT_DIGITS = 6;

/** A value at an end of the scale. */
export const endOfScale = (value) =>
  Math.abs(value) >= 1e5 ? shortCount(value) : rounded(value, 3);

/** From a value to its place between the least and the greatest, 0 to 1. A few cells far from all
    others would leave these no shades: what lies beyond a tail of them takes the ends' shades. */
export class Scale {
  constructor(values) {
    const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
    const skip = Math.floor(TAIL * sorted.length);
    const last = sorted.length - 1;
    this.empty = !sorted.length;
    this.low = sorted[skip];
    this.high = sorted[last - skip];
    this.below = sorted[0] < this.low;
    this.above = sorted[last] > this.high;
    this.log = this.low > 0 && this.high / this.low >= LOG_FROM;
  }

  /** NaN where there is no value to place. */
  share(value) {
    if (this.empty || !Number.isFinite(value)) return NaN;
    if (this.high === this.low) return value === this.low ? 0.5 : Number(value > this.low);
    const place = this.log
      ? Math.log(Math.max(value, 0) / this.low) / Math.log(this.high / this.low)
      : (value - this.low) / (this.high - this.low);
    return Math.max(0, Math.min(1, place));
  }
}

/* JSON has no NaN: null stands for it. */
const numbers = (values) =>
  values ? Float64Array.from(values, (value) => (value === null ? NaN : value)) : null;

const sayValue = (label, value) =>
  `\n${label}: ${Number.isNaN(value) ? "none" : rounded(value, EXACT_DIGITS)}`;

export class Heat {
  /**
   * @param {import("./structure.js").Structure} structure
   * @param {string} label what the numbers are
   * @param {{values: ?Array, blocks: ?Array}} answer a number a tensor, a number a block
   * @param {boolean} adds whether a cell of several tensors (experts) has their sum, else their mean
   */
  constructor(structure, label, { values, blocks }, adds = false) {
    this.label = label;
    this.adds = adds;
    this.values = numbers(values);
    this.blocks = numbers(blocks);
    const cells = this.values ? structure.cells.flat() : [];
    this.cells = new Scale(cells.map((tensors) => this.valueOf(tensors)));
    this.rows = new Scale([...(this.blocks ?? [])]);
  }

  valueOf(tensors) {
    let sum = 0;
    let count = 0;
    for (const t of tensors) {
      if (Number.isNaN(this.values[t])) continue;
      sum += this.values[t];
      count += 1;
    }
    if (!count) return NaN;
    return this.adds ? sum : sum / count;
  }

  /** 0 to 1, NaN for no shade. */
  cellOf(tensors) {
    return this.values ? this.cells.share(this.valueOf(tensors)) : NaN;
  }

  blockOf(block) {
    return this.blocks ? this.rows.share(this.blocks[block]) : NaN;
  }

  /** A line for a cell's title; the grid itself says how many parameters there are. */
  sayCell(tensors) {
    if (!this.values || this.adds) return "";
    const mean = tensors.length > 1 ? "mean " : "";
    return sayValue(`${mean}${this.label}`, this.valueOf(tensors));
  }

  sayBlock(block) {
    return this.blocks ? sayValue(this.label, this.blocks[block]) : "";
  }
}
