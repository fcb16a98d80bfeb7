/* The list of runs: brought up to date, sorted, searched, ticked. No DOM. */
import { exact } from "qwen/page/format.js";
import { calledBy, tellingColumns, UNASKED } from "./run_columns.js";
import { filterOf } from "./run_filter.js";
import { groupOf, groupRows } from "./run_groups.js";

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
    this.baseline = kept.baseline ?? "";
    this.by = kept.by ?? ""; // of `GROUPINGS`
    this.hidden = new Set(kept.hidden ?? UNASKED); // columns
    this.members = {};
    this.membersSeen = "";
  }

  /** What is there again after a reload of the page. */
  keep() {
    const { ticked, sort, query, opened, baseline, by, hidden } = this;
    return { ticked: [...ticked], sort, query, opened, baseline, by, hidden: [...hidden] };
  }

  /** Take in which comparison runs are members of; whether that has changed. */
  takeMembers({ members = null, members_seen: seen = "" }) {
    this.membersSeen = seen;
    if (members) this.members = members;
    return Boolean(members);
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

  /** The rows that the query finds, sorted. */
  found() {
    const { key, down } = this.sort;
    const value = (record) => (key === "name" ? calledBy(record) : record[key]);
    return [...this.runs.values()]
      .filter(filterOf(this.query))
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

  /** What a run is put together with: {key, title}. */
  groupOf(run) {
    const record = this.runs.get(run);
    return record ? groupOf(record, this.by, this.members) : { key: run, title: run };
  }

  /** The rows in their groups. */
  groups(rows) {
    return groupRows(rows, this.by, this.members);
  }

  /** Those that are overlaid: the baseline first, where it is there. */
  get overlaid() {
    const ticked = [...this.ticked];
    if (!ticked.length || !this.runs.has(this.baseline)) return ticked;
    return [this.baseline, ...ticked.filter((run) => run !== this.baseline)];
  }

  /** The columns that there are to choose from. */
  get choosable() {
    return tellingColumns([...this.runs.values()]);
  }

  /** Those that are shown. */
  get columns() {
    return this.choosable.filter(({ key, fixed }) => fixed || !this.hidden.has(key));
  }

  /** Show a column or do not. */
  showColumn(key, on) {
    if (on) this.hidden.delete(key);
    else this.hidden.add(key);
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
