/* Undo and redo. A step is what was there before an edit: {states, name}. */

const MAX_STEPS = 200;

export class History {
  constructor() {
    this.past = [];
    this.future = [];
  }

  /** An edit was made: `step` is what it began from. */
  record(step) {
    this.past.push(step);
    if (this.past.length > MAX_STEPS) this.past.shift();
    this.future = [];
  }

  /** What to go back to from `now`; undefined where there is nothing to take back. */
  undo(now) {
    return History.travel(this.past, this.future, now);
  }

  redo(now) {
    return History.travel(this.future, this.past, now);
  }

  static travel(from, to, now) {
    if (from.length) to.push(now);
    return from.pop();
  }

  /**
   * The last edit was asked for when `past` had `length` steps, and Python answered only now: it is
   * put before the edits made meanwhile, so that undo takes these back first.
   *
   * @param {(states: Uint8Array) => Uint8Array} apply what the edit makes of a selection
   * @param {string} name of the plan that the edit gives
   */
  moveLastTo(length, apply, name) {
    const later = this.past.slice(length, -1); // what each edit made meanwhile began from
    if (!later.length) return;
    const begun = later[0].states;
    const states = apply(begun);
    const rebased = later
      .slice(1)
      .map((step) => ({
        states: step.states.map((state, t) => (state === begun[t] ? states[t] : state)),
        name: "",
      }));
    this.past.splice(length, Infinity, later[0], { states, name }, ...rebased);
  }
}
