/* Numbers as shades: what cells and blocks of the grid are shaded by. */
import { rounded } from "qwen/page/format.js";
import { Scale } from "qwen/page/scale.js";

const EXACT_DIGITS = 6;

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
