/* Numbers as shades between the least and the greatest of them. No DOM. */
import { rounded, shortCount } from "./format.js";

const LOG_FROM = 5; // a wider span than this is shown on a logarithmic scale
const TAIL = 0.02; // of the cells on either side do not stretch the scale

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
