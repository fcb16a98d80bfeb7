/* What a person types to find runs. No DOM. */
import { calledBy } from "./run_columns.js";

/* What `field:word` looks at; a word alone looks at all of them. */
const FIELDS = {
  run: (r) => r.run,
  name: (r) => calledBy(r),
  plan: (r) => r.plan,
  model: (r) => r.model,
  status: (r) => r.status,
  data: (r) => r.data,
  note: (r) => r.note,
  tag: (r) => r.tags.join(" "),
  seed: (r) => String(r.seed ?? ""),
};
const SOUGHT = ["run", "name", "plan", "model", "status", "note", "data", "tag"];

const termOf = (word) => {
  const without = word.length > 1 && word.startsWith("-");
  const rest = without ? word.slice(1) : word;
  const [field, ...value] = rest.split(":");
  const known = value.length && field in FIELDS;
  return { without, field: known ? field : "", text: known ? value.join(":") : rest };
};

const holds = (record, { field, text }) => {
  if (field === "seed") return FIELDS.seed(record) === text;
  const looked = field ? [field] : SOUGHT;
  return looked.some((name) => FIELDS[name](record).toLowerCase().includes(text));
};

/** Whether a run has every word of the query, and none that it leaves out: `attention -failed
    plan:bitfit seed:1`. */
export const filterOf = (query) => {
  const terms = query.toLowerCase().split(/\s+/).filter(Boolean).map(termOf);
  return (record) => terms.every((term) => holds(record, term) !== term.without);
};
