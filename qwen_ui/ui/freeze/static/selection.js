/* Which tensors of a model train: a state each (1 trains), with undo. */
import { checkState, NONE, ON } from "./check_state.js";
import { History } from "./history.js";
import { writeRanges } from "./ranges.js";

export class Selection {
  /**
   * @param {{length: number, numel: Float64Array, unreached: Uint8Array}} structure
   * @param {(done: boolean) => void} onChange told of every edit; `done` is false while a drag goes on
   */
  constructor(structure, onChange) {
    this.structure = structure;
    this.onChange = onChange;
    this.states = new Uint8Array(structure.length);
    this.name = ""; // of the plan that gave it, "" once it was edited
    this.history = new History();
    this.before = null; // what the edit under way began from
    this.watches = new Set();
    this.tally();
  }

  /** The parameters and tensors that train. A tensor with two names has one state: it counts once. */
  tally() {
    const { numel, length } = this.structure;
    let trained = 0;
    let tensors = 0;
    for (let t = 0; t < length; t++) {
      if (!this.states[t]) continue;
      trained += numel[t];
      tensors += 1;
    }
    this.trained = trained;
    this.tensors = tensors;
  }

  stateOf(tensors) {
    if (!tensors) return NONE;
    let on = 0;
    let unreached = 0;
    for (let i = 0; i < tensors.length; i++) {
      on += this.states[tensors[i]];
      unreached += this.structure.unreached[tensors[i]];
    }
    return checkState(on, tensors.length, unreached);
  }

  /** What a click on these sets them to. */
  opposite(tensors) {
    return this.stateOf(tensors) === ON ? 0 : 1;
  }

  trainedOf(tensors) {
    let sum = 0;
    for (const t of tensors) if (this.states[t]) sum += this.structure.numel[t];
    return sum;
  }

  ranges() {
    return writeRanges(this.states);
  }

  get now() {
    return { states: this.states, name: this.name };
  }

  /** An edit of several strokes, such as a drag: `begin`, `paint` as often as needed, `commit`. */
  begin() {
    this.before = { states: this.states.slice(), name: this.name };
  }

  paint(tensors, value) {
    let changed = false;
    for (let i = 0; i < tensors.length; i++) {
      if (this.states[tensors[i]] === value || this.structure.unreached[tensors[i]]) continue;
      this.states[tensors[i]] = value;
      for (const edits of this.watches) edits.set(tensors[i], value);
      changed = true;
    }
    if (!changed) return;
    this.name = "";
    this.tally();
    this.onChange(false);
  }

  /** Whether anything is other than when the edit began. */
  commit() {
    const { before } = this;
    this.before = null;
    if (!before || before.states.every((state, t) => state === this.states[t])) return false;
    this.history.record(before);
    this.onChange(true);
    return true;
  }

  /** An edit in one stroke. */
  set(tensors, value) {
    this.begin();
    this.paint(tensors, value);
    this.commit();
  }

  toggle(tensors) {
    if (tensors.length) this.set(tensors, this.opposite(tensors));
  }

  replace(states, name) {
    this.begin();
    this.take({ states, name });
    return this.commit();
  }

  /** What Python says: no edit of the person's, but one that undo can leave where it is remembered. */
  adopt(states, name, remember) {
    if (remember) this.history.record(this.now);
    this.take({ states, name });
  }

  take({ states, name }) {
    this.states = states;
    this.name = name;
    this.tally();
  }

  undo() {
    this.travel("undo");
  }

  redo() {
    this.travel("redo");
  }

  travel(direction) {
    const step = this.before ? undefined : this.history[direction](this.now);
    if (!step) return;
    this.take(step);
    this.onChange(true);
  }

  /** What is painted from now on, tensor to state, until `unwatch`. */
  watch() {
    const edits = new Map();
    this.watches.add(edits);
    return edits;
  }

  unwatch(edits) {
    this.watches.delete(edits);
  }
}
