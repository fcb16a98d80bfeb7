/* The columns of the table of runs. No DOM. */
import { duration, exact, nats, rateText, rounded, shortCount, signed } from "qwen/page/format.js";

const DATE = "20261125-154210-".length; // a run's name goes on with what trains and where
const when = (seconds) =>
  new Date(seconds * 1000).toLocaleString("en-GB", {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
const lasted = (seconds) => duration(seconds || null);

/** What a run is called: a person's own name, else its folder's without the date. */
export const calledBy = (record) => record.name || record.run.slice(DATE);

/** key: of a record; title, and `words` that say more; text(record); figure: it is a number, told of
    several runs by `show(mean)` and of their spread by `apart`; minor: left out where there is little
    room; asked: not there unless a person ticks it; compared: told beside the baseline's. */
export const COLUMNS = [
  { key: "created", title: "started", text: (r) => when(r.created), minor: true },
  { key: "name", title: "run", text: calledBy, fixed: true },
  { key: "plan", title: "plan", text: (r) => r.plan },
  { key: "model", title: "model", text: (r) => r.model.split("/").pop() },
  { key: "seed", title: "seed", figure: true, minor: true, text: (r) => String(r.seed ?? "–") },
  { key: "status", title: "status", text: (r) => r.status },
  {
    key: "step",
    title: "steps",
    figure: true,
    text: (r) => `${exact(r.step)} / ${exact(r.steps)}`,
  },
  {
    key: "trainable",
    title: "trainable",
    words: "Parameters that train",
    figure: true,
    minor: true,
    text: (r) => shortCount(r.trainable),
  },
  {
    key: "learning_rate",
    title: "learning rate",
    figure: true,
    minor: true,
    text: (r) => rateText(r.learning_rate),
  },
  {
    key: "loss",
    title: "loss",
    words: "Training loss of the last step (nats per token)",
    figure: true,
    minor: true,
    asked: true,
    show: (value) => rounded(value),
  },
  {
    key: "eval_before",
    title: "eval before",
    words: "Evaluation loss before training (nats per token)",
    figure: true,
    minor: true,
    asked: true,
    show: (value) => rounded(value),
  },
  {
    key: "eval_after",
    title: "eval after",
    words: "Evaluation loss after training (nats per token)",
    figure: true,
    compared: true,
    show: (value) => rounded(value),
  },
  {
    key: "forgetting",
    title: "forgets",
    words: "By how much the loss on the text to keep rose (nats per token)",
    figure: true,
    compared: true,
    show: (value) => signed(value),
  },
  {
    key: "kl",
    title: "KL",
    words: "KL(base || tuned) per token of the text to keep (nats)",
    figure: true,
    minor: true,
    compared: true,
    show: (value) => nats(value),
  },
  { key: "elapsed", title: "elapsed", figure: true, show: lasted },
].map((column) => ({ text: (r) => column.show(r[column.key]), ...column }));

/** Of the columns, those that a person has not asked for. */
export const UNASKED = COLUMNS.filter(({ asked }) => asked).map(({ key }) => key);

const KEPT = ["forgetting", "kl"]; // columns of runs with a text to keep

/** The columns that say something: what was forgotten only where a run had a text to keep. */
export const tellingColumns = (rows) => {
  const kept = rows.some(({ kl }) => typeof kl === "number");
  return COLUMNS.filter(({ key }) => kept || !KEPT.includes(key));
};

/** What a group of runs has in a column: "5.460 ± 0.050"; "" where it is no measured figure. */
export const groupText = ({ key, show }, { measured }) => {
  const found = show && measured[key];
  if (!found) return "";
  const spread = found.spread === null ? "" : ` ± ${rounded(found.spread, 2)}`;
  return show(found.mean) + spread;
};

const ALIKE = 0.0005; // nats: three decimals are shown

/** How far a run's figure is from the baseline's: "+0.120", "" where that is not known. */
export const beside = ({ key, compared }, record, baseline) => {
  if (!compared || !baseline || record.run === baseline.run) return "";
  const [value, other] = [record[key], baseline[key]];
  if (typeof value !== "number" || typeof other !== "number") return "";
  const apart = value - other;
  return Math.abs(apart) < ALIKE ? "±0" : signed(apart);
};
