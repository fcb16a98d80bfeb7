/* The list of runs: brought up to date, sorted, searched, ticked. No DOM. */
import { duration, exact, nats, rounded, shortCount, signed } from "qwen/page/format.js";

const DATE = "20261125-154210-".length; // a run's name goes on with what trains and where
const when = (seconds) =>
  new Date(seconds * 1000).toLocaleString("en-GB", {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });

const KEPT = ["forgetting", "kl"]; // columns of runs with a text to keep

/** key: of a record; title; text(record); figure: it is a number; minor: left out where there is
    little room. */
export const COLUMNS = [
  { key: "created", title: "begun", text: (r) => when(r.created), minor: true },
  { key: "name", title: "run", text: (r) => calledBy(r) },
  { key: "plan", title: "plan", text: (r) => r.plan },
  { key: "model", title: "model", text: (r) => r.model.split("/").pop() },
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
    figure: true,
    minor: true,
    text: (r) => shortCount(r.trainable),
  },
  { key: "learning_rate", title: "rate", figure: true, text: (r) => rounded(r.learning_rate, 3) },
  { key: "loss", title: "loss", figure: true, minor: true, text: (r) => rounded(r.loss) },
  {
    key: "eval_before",
    title: "eval before",
    figure: true,
    minor: true,
    text: (r) => rounded(r.eval_before),
  },
  { key: "eval_after", title: "eval after", figure: true, text: (r) => rounded(r.eval_after) },
  { key: "forgetting", title: "forgets", figure: true, text: (r) => signed(r.forgetting) },
  { key: "kl", title: "KL", figure: true, minor: true, text: (r) => nats(r.kl) },
  { key: "elapsed", title: "time", figure: true, text: (r) => duration(r.elapsed || null) },
];

/** What a run is called: a person's own name, else its folder's without the date. */
export const calledBy = (record) => record.name || record.run.slice(DATE);

const searchable = (r) =>
  [r.run, r.name, r.plan, r.model, r.status, r.note, r.data, ...r.tags].join(" ").toLowerCase();

/* What is not known comes last, whichever way it is sorted. */
const compare = (a, b, sign) => {
  const [noA, noB] = [a, b].map((value) => value === null || value === undefined);
  if (noA || noB) return Number(noA) - Number(noB);
  return a < b ? -sign : a > b ? sign : 0;
};

export class RunList {
  /** kept: what `keep` gave. */
  constructor(kept = {}) {
    this.runs = new Map();
    this.seen = "";
    this.ticked = new Set(kept.ticked ?? []);
    this.sort = kept.sort ?? { key: "created", down: true };
    this.query = kept.query ?? "";
    this.opened = kept.opened ?? "";
  }

  /** What is there again after a reload of the page. */
  keep() {
    const { ticked, sort, query, opened } = this;
    return { ticked: [...ticked], sort, query, opened };
  }

  /** Take in an answer of `listing`. Gives "same", "changed", or "incomplete": a run was removed
      (which one is not said), so the whole list has to be asked for. */
  merge({ rows, seen, total, whole }) {
    const first = !this.seen;
    if (whole) this.runs.clear();
    for (const row of rows) this.runs.set(row.run, row);
    this.seen = seen;
    if (!whole && this.runs.size !== total) {
      this.seen = "";
      return "incomplete";
    }
    if (!rows.length && !first && !whole) return "same";
    for (const run of this.ticked) if (!this.runs.has(run)) this.ticked.delete(run);
    return "changed";
  }

  /** Sort by this column; once more, the other way. */
  sortBy(key) {
    this.sort = { key, down: this.sort.key === key && !this.sort.down };
  }

  tick(run, on) {
    if (on) this.ticked.add(run);
    else this.ticked.delete(run);
  }

  /** The rows that hold every word of the query, sorted. */
  found() {
    const words = this.query.toLowerCase().split(/\s+/).filter(Boolean);
    const { key, down } = this.sort;
    const value = (record) => (key === "name" ? calledBy(record) : record[key]);
    return [...this.runs.values()]
      .filter((record) => words.every((word) => searchable(record).includes(word)))
      .sort((a, b) => compare(value(a), value(b), down ? -1 : 1));
  }

  /** The run of the lowest evaluation loss, of the ticked ones or of `rows` where fewer than two
      are ticked; null where there is nothing to compare. */
  best(rows) {
    const ticked = [...this.ticked].map((run) => this.runs.get(run)).filter(Boolean);
    const scored = (ticked.length > 1 ? ticked : rows).filter(
      (record) => record.eval_after !== null && record.status === "completed",
    );
    if (scored.length < 2) return null;
    return scored.reduce((a, b) => (b.eval_after < a.eval_after ? b : a)).run;
  }

  /** The columns that say something: what was forgotten only where a run had a text to keep. */
  get columns() {
    const kept = [...this.runs.values()].some(({ kl }) => typeof kl === "number");
    return COLUMNS.filter(({ key }) => kept || !KEPT.includes(key));
  }

  /** How many there are: "3 of 12 runs, 2 ticked". */
  summary(found, most) {
    if (!this.runs.size) return "";
    const parts = [`${exact(found)} of ${exact(this.runs.size)} runs`];
    if (found > most) parts.push(`the first ${most} shown`);
    if (this.ticked.size) parts.push(`${this.ticked.size} ticked`);
    return parts.join(", ");
  }
}
