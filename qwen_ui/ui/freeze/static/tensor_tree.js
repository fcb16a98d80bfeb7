/* The module tree, made of the tensors' names alone: a row a part of a name. */
import { TreeModel } from "qwen/page/tree_model.js";
import { checkState } from "./check_state.js";

const makePart = (label) => ({ label, children: new Map(), tensor: -1, tied: "" });

/* Names as nested parts. */
const partsOf = (structure) => {
  const root = makePart(structure.source);
  const insert = (name, tensor, tied) => {
    let part = root;
    for (const label of name.split(".")) {
      if (!part.children.has(label)) part.children.set(label, makePart(label));
      part = part.children.get(label);
    }
    part.tensor = tensor;
    part.tied = tied;
  };
  for (let t = 0; t < structure.length; t++) insert(structure.nameOf(t), t, "");
  for (const [t, name] of structure.aliases) insert(name, t, structure.nameOf(t));
  return root;
};

/* The rows of a part and of all below it, in order. `start` and `stop` bound its tensors among
   `leaves`. */
const addRows = (part, depth, above, rows, leaves) => {
  const name = above ? `${above}.${part.label}` : depth ? part.label : "";
  const { label, tensor, tied } = part;
  const row = { label, name, depth, tensor, tied, start: leaves.length, stop: 0 };
  rows.push(row);
  if (tensor >= 0) leaves.push(tensor);
  for (const child of part.children.values()) addRows(child, depth + 1, name, rows, leaves);
  row.stop = leaves.length;
};

export class TensorTree extends TreeModel {
  /** @param {import("./structure.js").Structure} structure */
  constructor(structure) {
    const rows = [];
    const leaves = [];
    addRows(partsOf(structure), 0, "", rows, leaves);
    super(rows.map(({ depth }) => depth));
    this.structure = structure;
    this.rows = rows;
    this.leaves = leaves;
    // The whole model at first sight: what leads to the blocks is open.
    rows.forEach(({ depth, name }, row) => {
      this.open[row] = depth === 0 || `${structure.stack}.`.startsWith(`${name}.`) ? 1 : 0;
    });
    this.refresh();
  }

  tensorsOf(row) {
    const { start, stop } = this.rows[row];
    return [...new Set(this.leaves.slice(start, stop))];
  }

  /** Tensors of all rows between two; those of an open row are its own rows' to say. */
  tensorsBetween(from, to) {
    const places = [this.place[from], this.place[to]].sort((a, b) => a - b);
    const tensors = new Set();
    for (let place = places[0]; place <= places[1]; place++) {
      const row = this.visible[place];
      if (this.isOpen(row) && this.hasChildren(row)) continue;
      for (const t of this.tensorsOf(row)) tensors.add(t);
    }
    return [...tensors];
  }

  /** Sums up to each leaf; a second name weighs nothing, so that a tie counts once. */
  measure(selection) {
    const { length } = this.leaves;
    const { numel } = this.structure;
    const { states } = selection;
    this.on = new Int32Array(length + 1);
    this.unreached = new Int32Array(length + 1);
    this.sum = new Float64Array(length + 1);
    this.all = new Float64Array(length + 1);
    const seen = new Uint8Array(numel.length);
    for (let i = 0; i < length; i++) {
      const t = this.leaves[i];
      const weight = seen[t] ? 0 : numel[t];
      seen[t] = 1;
      this.on[i + 1] = this.on[i] + states[t];
      this.unreached[i + 1] = this.unreached[i] + this.structure.unreached[t];
      this.sum[i + 1] = this.sum[i] + (states[t] ? weight : 0);
      this.all[i + 1] = this.all[i] + weight;
    }
  }

  stateOf(row) {
    const { start, stop } = this.rows[row];
    const unreached = this.unreached[stop] - this.unreached[start];
    return checkState(this.on[stop] - this.on[start], stop - start, unreached);
  }

  /** Whether nothing below this row can train. */
  isUnreached(row) {
    const { start, stop } = this.rows[row];
    return stop > start && this.unreached[stop] - this.unreached[start] === stop - start;
  }

  /** Parameters below a row that train, and all of them. */
  countsOf(row, selection) {
    const { start, stop } = this.rows[row];
    const all = this.all[stop] - this.all[start];
    if (all > 0) return [this.sum[stop] - this.sum[start], all];
    const tensors = this.tensorsOf(row); // second names alone
    return [selection.trainedOf(tensors), this.structure.sum(tensors)];
  }
}
