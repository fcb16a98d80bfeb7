/* What a model is made of, as the selector shows it: tensors by number, and the rows (blocks and
   what stands outside them) and columns (kinds) of its grid. */
import { readRanges } from "./ranges.js";

const NUMBERS = /(^|\.)\d+(?=\.|$)/g; // whole parts of a name: an expert's index

export class Structure {
  /** @param {object} record what `structure_record` (selector_data.py) makes of a model */
  constructor(record) {
    this.source = record.source;
    this.stack = record.stack;
    this.blocks = record.blocks;
    this.total = record.total;
    this.kinds = record.kinds.map(([kind, role, shape]) => ({ kind, role, shape }));
    this.block = Int32Array.from(record.block); // of each tensor, -1 outside the blocks
    this.kind = Uint32Array.from(record.kind); // of each tensor, an index into `kinds`
    this.aliases = record.aliases; // [tensor, second name] pairs
    this.length = this.block.length;
    this.unreached = readRanges(record.unreached, this.length); // 1 where text gives no gradient
    const sizes = this.kinds.map(({ shape }) => shape.reduce((product, side) => product * side, 1));
    this.numel = Float64Array.from(this.kind, (kind) => sizes[kind]);
    this.makeColumns();
    this.makeRows();
    this.fillCells();
  }

  nameOf(tensor) {
    const { kind } = this.kinds[this.kind[tensor]];
    const block = this.block[tensor];
    return block < 0 ? kind : `${this.stack}.${block}.${kind}`;
  }

  shapeOf(tensor) {
    return this.kinds[this.kind[tensor]].shape;
  }

  /** Whether none of these can train: text does not reach them. */
  isUnreached(tensors) {
    return tensors.length > 0 && tensors.every((t) => this.unreached[t]);
  }

  sum(tensors) {
    let sum = 0;
    for (const t of tensors) sum += this.numel[t];
    return sum;
  }

  /* A column is a kind; kinds that differ in numbers alone (experts) share one. Columns of a role
     stand together, roles in the order in which the model has them. */
  makeColumns() {
    const columns = new Map();
    const columnOf = new Map(); // kind -> its column
    for (let t = 0; t < this.length; t++) {
      if (this.block[t] < 0 || columnOf.has(this.kind[t])) continue;
      const { kind, role } = this.kinds[this.kind[t]];
      const label = kind.replace(NUMBERS, "$1*");
      const key = `${role} ${label}`;
      if (!columns.has(key)) columns.set(key, { label, role, kinds: [] });
      columns.get(key).kinds.push(this.kind[t]);
      columnOf.set(this.kind[t], columns.get(key));
    }
    this.groupByRole([...columns.values()]);
    this.columnOfKind = new Map([...columnOf].map(([kind, column]) => [kind, column.index]));
    this.shortenLabels();
  }

  groupByRole(columns) {
    const byRole = new Map();
    for (const column of columns) {
      byRole.set(column.role, [...(byRole.get(column.role) ?? []), column]);
    }
    this.columns = [...byRole.values()].flat();
    this.roles = [];
    let start = 0;
    for (const [role, { length: size }] of byRole) {
      this.roles.push({ role, size, start });
      start += size;
    }
    this.columns.forEach((column, index) => {
      column.index = index;
      column.role_index = this.roles.findIndex(({ role }) => role === column.role);
    });
  }

  /* Labels as short as they are clear: `q_proj.bias`, `o_proj` where a module has a weight alone. */
  shortenLabels() {
    const modules = this.columns.map(({ label }) => label.split(".").slice(0, -1).join("."));
    const shorts = this.columns.map(({ label }, i) => {
      const alone = modules.filter((module) => module === modules[i]).length === 1;
      const parts = label.split(".");
      return alone && label.endsWith(".weight") ? parts.at(-2) : parts.slice(-2).join(".");
    });
    this.columns.forEach((column, i) => {
      const clear = shorts.filter((one) => one === shorts[i]).length === 1;
      column.short = clear ? shorts[i] : column.label;
    });
  }

  /* Tensors before the first block, the blocks, the others; a second name is a row of its own. */
  makeRows() {
    const first = this.block.findIndex((block) => block >= 0);
    const row = (label, block, tensors, tied = "") => ({ label, block, tensors, tied });
    const before = [];
    const after = [];
    for (let t = 0; t < this.length; t++) {
      if (this.block[t] >= 0) continue;
      (first < 0 || t < first ? before : after).push(row(this.nameOf(t), -1, [t]));
    }
    const blocks = Array.from({ length: this.blocks }, (_, i) => row(`block ${i}`, i, []));
    const second = this.aliases.map(([t, name]) => row(name, -1, [t], this.nameOf(t)));
    this.firstBlockRow = before.length;
    this.rows = [...before, ...blocks, ...after, ...second];
  }

  /* The tensors of each cell, row and column. */
  fillCells() {
    this.cells = this.rows.map(() => []);
    this.columnTensors = this.columns.map(() => []);
    this.everything = Array.from({ length: this.length }, (_, t) => t);
    this.inBlocks = this.everything.filter((t) => this.block[t] >= 0);
    for (const t of this.inBlocks) {
      const r = this.firstBlockRow + this.block[t];
      const c = this.columnOfKind.get(this.kind[t]);
      this.rows[r].tensors.push(t);
      this.columnTensors[c].push(t);
      (this.cells[r][c] ??= []).push(t);
    }
    for (const row of this.rows) row.numel = this.sum(row.tensors);
    for (const role of this.roles) {
      role.tensors = this.columnTensors.slice(role.start, role.start + role.size).flat();
    }
    const largest = (rows) => rows.reduce((most, { numel }) => Math.max(most, numel), 1);
    this.largestRow = largest(this.rows);
    this.largestBlock = largest(this.rows.filter(({ block }) => block >= 0));
  }
}
