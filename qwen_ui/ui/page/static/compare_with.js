/* Asks the Compare tab to set up a comparison of the plan in force with another. That tab may not be
   drawn yet: what was asked waits here until it is. */
import { openTab } from "./tabs.js";

let waiting = null;
let taker = null;

/** Compare the plan in force with `preset:NAME`, `saved:NAME` or `lora`. */
export const compareWith = (other) => {
  openTab("compare");
  if (taker) taker(other);
  else waiting = other;
};

/** Whoever sets comparisons up; what was asked before is told at once. */
export const onCompareWith = (callback) => {
  taker = callback;
  if (waiting !== null) callback(waiting);
  waiting = null;
};
