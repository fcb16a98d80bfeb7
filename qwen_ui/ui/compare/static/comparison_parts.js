/* Small parts of a comparison's view. */
import { make } from "qwen/page/dom.js";
import { ratesBySource } from "./comparison_data.js";

const NOTHING = "Nothing compared yet";
const ONE_CLICK =
  "One click trains attention-only and BitFit on the top 4 blocks, on the " +
  "same data and seeds, each at a learning rate that short runs find, and says which ends lower and " +
  "at what cost: about a minute on the small twin.";
const READING = "Reading the comparison …";
const EXPECTED =
  "Starting a comparison: the data are checked, then a worker begins with the first plan …";

const waiting = (text) => make("p", "qc-empty", text);

const nothing = () => {
  const node = make("div", "q-empty");
  node.append(make("strong", "", NOTHING), make("p", "", ONE_CLICK));
  return node;
};

/** There is none yet, or its first answer is on its way. */
export const waitingFor = (name) => (name ? waiting(READING) : nothing());

/** One was asked for. */
export const comparisonExpected = () => waiting(EXPECTED);

/** What a run noted. A plan's name stands before it and is a text of its own, as it is elsewhere. */
export const noteOf = (note, plans) => {
  const node = make("li");
  const plan = plans.find((name) => note.startsWith(`${name}: `));
  if (plan === undefined) node.append(note);
  else node.append(make("b", "", plan), " ", make("span", "", note.slice(plan.length + 2)));
  return node;
};

/** A continuation before and after, under its plan. */
export const sampleOf = (sample, plan) => {
  const node = make("section");
  const head = make("h3");
  head.append(plan);
  node.append(head);
  for (const when of ["before", "after"]) {
    const words = make("p");
    const written = make("span", "notranslate", sample.prompt + sample[when]);
    words.append(make("small", "", `${when}: `), written);
    node.append(words);
  }
  return node;
};

/** The learning rates below the table; each part is a node, so that each is translated by itself. */
export const rateNote = (rows) => {
  const node = make("p", "qc-rates");
  node.append(make("span", "", "Learning rates"));
  for (const [source, plans] of ratesBySource(rows)) {
    for (const [plan, rate] of plans) node.append(" · ", make("span", "", plan), ` ${rate}`);
    node.append(" ", make("span", "", `(${source})`));
  }
  return node;
};
