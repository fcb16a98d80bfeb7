/* The places of the grid and what they stand for. A place is {r, c}: row 0 the roles, row 1 the
   kinds, from 2 on the model's rows; column 0 the row's own box, from 1 on the kinds. */
import { exact, shapeText } from "qwen/page/format.js";

export const HEADS = 2;
export const UNREACHED = "Text gives it no gradient, so it does not train.";

const clamp = (value, last) => Math.max(0, Math.min(last, value));

export class GridPlaces {
  constructor(structure) {
    this.structure = structure;
    this.last = { r: HEADS + structure.rows.length - 1, c: structure.columns.length };
  }

  /** The first block, or what stands in its place. */
  get start() {
    return { r: Math.min(this.rowOfBlock(0), this.last.r), c: 0 };
  }

  rowOfBlock(block) {
    return HEADS + this.structure.firstBlockRow + block;
  }

  rowAt(r) {
    return this.structure.rows[r - HEADS];
  }

  /** Whether a row stands outside the blocks: it has no cells, only its own box. */
  isOutside(r) {
    return r >= HEADS && this.rowAt(r).block < 0;
  }

  /** The nearest place that there is. */
  nearest({ r, c }) {
    const row = clamp(r, this.last.r);
    return { r: row, c: this.isOutside(row) ? 0 : clamp(c, this.last.c) };
  }

  roleAt(c) {
    return this.structure.roles[this.structure.columns[c - 1].role_index];
  }

  /** The column that the head of this column's role begins at. */
  roleStart(c) {
    return c === 0 ? 0 : this.roleAt(c).start + 1;
  }

  previousRole(c) {
    return this.roleStart(Math.max(0, this.roleStart(c) - 1));
  }

  nextRole(c) {
    if (c === 0) return Math.min(1, this.last.c);
    const { start, size } = this.roleAt(c);
    return Math.min(start + size + 1, this.last.c);
  }

  /** The place whose node shows this one: a role's head spans columns. */
  shownAt({ r, c }) {
    return { r, c: r === 0 ? this.roleStart(c) : c };
  }

  tensorsAt(r, c) {
    const { structure } = this;
    if (r === 0) return c === 0 ? structure.everything : this.roleAt(c).tensors;
    if (r === 1) return c === 0 ? structure.inBlocks : structure.columnTensors[c - 1];
    if (c === 0) return this.rowAt(r).tensors;
    return structure.cells[r - HEADS][c - 1] ?? [];
  }

  labelAt(r, c) {
    const column = c > 0 ? this.structure.columns[c - 1] : null;
    if (r === 0) return column ? `${column.role} in all blocks` : "everything";
    if (r === 1) return column ? `${column.label} in all blocks` : "all blocks";
    const { label } = this.rowAt(r);
    return column ? `${label} ${column.label}` : label;
  }

  /** What a row is called, with the tensor that it is tied to. */
  rowLabel(r) {
    const { label, tied } = this.rowAt(r);
    return tied ? `${label} = ${tied} (tied)` : label;
  }

  /** What the pointer is told of a cell or a row's box. */
  titleAt(r, c, heat) {
    if (c === 0) {
      const { numel, block, tensors } = this.rowAt(r);
      const score = heat && block >= 0 ? heat.sayBlock(block) : "";
      return `${this.rowLabel(r)}: ${exact(numel)} parameters${score}${this.sayUnreached(tensors)}`;
    }
    const tensors = this.tensorsAt(r, c);
    const shape = shapeText(this.structure.shapeOf(tensors[0]));
    const many = tensors.length > 1 ? `${exact(tensors.length)} tensors, ` : "";
    const size = `${many}${shape} = ${exact(this.structure.sum(tensors))} parameters`;
    const score = heat ? heat.sayCell(tensors) : "";
    return `${this.labelAt(r, c)}\n${size}${score}${this.sayUnreached(tensors)}`;
  }

  sayUnreached(tensors) {
    return this.structure.isUnreached(tensors) ? `\n${UNREACHED}` : "";
  }

  /** The tensors of all places in the rectangle between two. */
  rectangle(a, b) {
    const found = [];
    for (let r = Math.min(a.r, b.r); r <= Math.max(a.r, b.r); r++) {
      for (let c = Math.min(a.c, b.c); c <= Math.max(a.c, b.c); c++) {
        found.push(this.tensorsAt(r, c));
      }
    }
    return found.flat();
  }

  /** The tensors on the straight way from a place (not included) to another: a quick pointer skips
      cells. */
  line(from, to) {
    const steps = Math.max(Math.abs(to.r - from.r), Math.abs(to.c - from.c));
    const found = [];
    for (let i = 1; i <= steps; i++) {
      const r = Math.round(from.r + ((to.r - from.r) * i) / steps);
      const c = Math.round(from.c + ((to.c - from.c) * i) / steps);
      found.push(this.tensorsAt(r, c));
    }
    return found.flat();
  }
}
