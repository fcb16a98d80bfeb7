/* The rows of one model's module tree: modules, tensors, and folds (identical modules as one row). */
import { TreeModel } from "qwen/page/tree_model.js";

export const MODULE = 0;
export const TENSOR = 1;
export const FOLD = 2;

/* What a plan does to a row. */
export const FROZEN = 0;
export const PARTLY = 1;
export const TRAINS = 2;

export class ModuleTree extends TreeModel {
  /** @param {object} record what `tree_record` (tree.py) makes of a model */
  constructor(record) {
    super(record.rows.depth);
    this.source = record.source;
    this.stack = record.stack;
    this.blocks = record.blocks;
    this.total = record.total;
    const { type, label, name, what, role, count, bytes, tied } = record.rows;
    Object.assign(this, { type, label, name, what, role, count, bytes, tied });
    this.state = new Uint8Array(this.length); // FROZEN, PARTLY or TRAINS
    this.openBlocks();
  }

  /** Opens what leads to the blocks, their folds and the first block, so that the first sight is
      the whole model and what a block is made of. */
  openBlocks() {
    const first = `${this.stack}.0`;
    for (let row = 0; row < this.length; row++) {
      const name = this.name[row];
      const leads = `${this.stack}.`.startsWith(`${name}.`) || name === first;
      const above = this.parent[row];
      const folds = this.type[row] === FOLD && this.name[above] === this.stack;
      if (row === 0 || leads || folds) this.open[row] = 1;
    }
    this.refresh();
  }

  /** What a plan trains: a tensor by its first name, a module by what is below it. */
  showTrained(names) {
    const chosen = new Set(names);
    const trained = new Uint32Array(this.length);
    const all = new Uint32Array(this.length);
    for (let row = this.length - 1; row >= 0; row--) {
      if (this.type[row] === TENSOR) {
        all[row] = 1;
        trained[row] = chosen.has(this.tied[row] || this.name[row]) ? 1 : 0;
      }
      const parent = this.parent[row];
      if (parent >= 0) {
        all[parent] += all[row];
        trained[parent] += trained[row];
      }
      if (!trained[row]) this.state[row] = FROZEN;
      else this.state[row] = trained[row] === all[row] ? TRAINS : PARTLY;
    }
  }

  /** Names of the tensors that a search found. */
  matchedTensors() {
    return this.tensors(0, this.length, (row) => this.isMatch(row));
  }

  tensorsOf(row) {
    return this.tensors(row, this.end[row], () => true);
  }

  tensors(from, to, keep) {
    const names = [];
    for (let row = from; row < to; row++) {
      if (this.type[row] === TENSOR && !this.tied[row] && keep(row)) names.push(this.name[row]);
    }
    return names;
  }

  /** How many modules and tensors there are: a fold is neither. */
  get size() {
    return this.type.filter((type) => type !== FOLD).length;
  }

  /** Where a name lies: its block (0 outside the blocks) and its path inside. */
  whereIs(name) {
    const rest = name.startsWith(`${this.stack}.`) ? name.slice(this.stack.length + 1) : "";
    const [index, ...inside] = rest.split(".");
    if (!/^\d+$/.test(index)) return { block: 0, inside: "" };
    return { block: Number(index), inside: inside.join(".") };
  }

  /** Blocks that are folded into one row look alike: one drawing serves all of them. */
  formOf(block) {
    const row = this.rowOf(`${this.stack}.${block}`);
    const up = row < 0 ? -1 : this.parent[row];
    return up >= 0 && this.type[up] === FOLD ? `fold ${up}` : `block ${block}`;
  }

  /** The row of a module or tensor, -1 for none. A fold bears the name of its first member. */
  rowOf(name) {
    for (let row = 0; row < this.length; row++) {
      if (this.type[row] !== FOLD && this.name[row] === name) return row;
    }
    return -1;
  }
}
