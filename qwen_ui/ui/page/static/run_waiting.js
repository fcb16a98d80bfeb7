/* What a run's view shows while there is no run. */
import { make } from "./dom.js";

const NO_RUN =
  "Choose what trains on the Freeze tab, pick data, and launch. Loss, samples and progress appear " +
  "here and stay when the page is closed.";
const EXPECTED =
  "The settings are checked, then a worker begins. It goes on when this page is closed.";

const note = (title, text) => {
  const node = make("div", "q-empty");
  node.append(make("strong", "", title), make("p", "", text));
  return node;
};

/** There is none yet. */
export const noRun = () => note("No run yet", NO_RUN);

/** One was asked for. */
export const runExpected = () => note("Starting a run …", EXPECTED);
