/* A row of the table of runs, and the heads of its columns. `data-hold` names what keeps the focus
   when the table is drawn anew. */
import { button, make } from "qwen/page/dom.js";
import { isBad } from "qwen/page/run_words.js";
import { beside, calledBy, groupText } from "./run_columns.js";

const classesOf = ({ key, figure, minor }) =>
  [figure && "qr-figure", minor && "qr-minor", `qr-col-${key}`].filter(Boolean).join(" ");

/** A column's head, which sorts by it; `sort` is {key, down}, as it is sorted now. */
export const headOf = (column, { key, down }, onsort) => {
  const sorted = key === column.key;
  const [sign, order] = down ? [" ↓", "descending"] : [" ↑", "ascending"];
  const node = button(sorted ? column.title + sign : column.title, "qr-sort", onsort);
  node.dataset.hold = `sort ${column.key}`;
  const cell = make("th", classesOf(column));
  if (column.words) cell.title = column.words;
  cell.setAttribute("aria-sort", sorted ? order : "none");
  cell.append(node);
  return cell;
};

/**
 * @param record of the server's list.
 * @param list the `RunList`: what is ticked and opened.
 * @param best the run with the best evaluation loss, or null.
 * @param open is called with the run to open.
 * @param tick is called with runs and whether they are ticked now.
 * @param pin is called with the run that is the baseline from now on, "" for none.
 */
export const rowOf = (record, { list, best, open, tick, pin }) => {
  const row = make("tr");
  const box = tickOf(record, list.ticked.has(record.run), tick);
  const first = make("td");
  const baseline = list.runs.get(list.baseline);
  first.append(box, pinOf(record, baseline, pin));
  const told = { best, open, baseline };
  row.append(first, ...list.columns.map((column) => cellOf(record, column, told)));
  row.classList.toggle("qr-pinned", record.run === list.baseline);
  row.classList.toggle("qr-ticked", box.checked);
  row.classList.toggle("qr-current", record.run === list.opened);
  return row;
};

/**
 * The row above the runs of a group: its title, and mean and spread of what they measured.
 * @param group of `groupRows`.
 */
export const groupRowOf = (group, { list, tick }) => {
  const row = make("tr", "qr-group");
  const runs = group.rows.map(({ run }) => run);
  const ticked = runs.filter((run) => list.ticked.has(run)).length;
  const box = boxOf(`tick ${group.key}`, `Overlay the runs of ${group.title}`, ticked > 0, (on) =>
    tick(runs, on),
  );
  box.indeterminate = ticked > 0 && ticked < runs.length;
  const first = make("td");
  first.append(box);
  const cells = list.columns.map((column) => {
    const cell = make("td", classesOf(column), groupText(column, group));
    label(cell, column);
    if (column.key === "name") cell.replaceChildren(...groupName(group));
    return cell;
  });
  row.append(first, ...cells);
  return row;
};

const groupName = ({ title, comparison, rows, seeds }) => {
  const many = rows.length === 1 ? "1 run" : `${rows.length} runs`;
  const of = `${many}, ${seeds.length === 1 ? "seed" : "seeds"} ${seeds.join(", ")}`;
  const nodes = [make("strong", "", title), make("div", "qr-remark", of)];
  if (comparison) nodes.push(make("div", "qr-remark", `comparison ${comparison}`));
  return nodes;
};

/* What a cell is called where the table's head is out of sight (on a narrow screen). */
const label = (cell, { title }) => {
  cell.dataset.label = title;
};

const boxOf = (hold, name, checked, onchange) => {
  const box = make("input");
  Object.assign(box, { type: "checkbox", checked });
  box.dataset.hold = hold;
  box.setAttribute("aria-label", name);
  box.addEventListener("change", () => onchange(box.checked));
  return box;
};

const tickOf = ({ run, ...record }, ticked, tick) =>
  boxOf(`tick ${run}`, `Overlay ${calledBy({ run, ...record })}`, ticked, (on) => tick([run], on));

const cellOf = (record, column, { best, open, baseline }) => {
  const cell = make("td", classesOf(column));
  const text = column.text(record);
  label(cell, column);
  if (column.key === "name") cell.append(...nameOf(record, text, open, baseline));
  else if (column.key === "status") cell.append(make("span", `qr-badge qr-${text}`, text));
  else cell.textContent = text;
  if (column.key === "plan" || column.key === "model") cell.title = record[column.key];
  if (column.key === "eval_after" && record.run === best) {
    cell.classList.add("qr-best");
    cell.prepend(make("span", "qr-best-sign", "best "));
  }
  const apart = beside(column, record, baseline);
  if (apart) cell.append(make("span", "qr-beside", apart));
  return cell;
};

/* Makes a run the one that all others are told beside. */
const pinOf = (record, baseline, pin) => {
  const { run } = record;
  const pinned = run === baseline?.run;
  const title = pinned ? "No baseline" : "Tell the other runs' losses beside this run's";
  const node = button(pinned ? "◆" : "◇", "qr-pin", () => pin(pinned ? "" : run), title);
  node.setAttribute("aria-label", `Baseline: ${calledBy(record)}`);
  node.setAttribute("aria-pressed", String(pinned));
  node.dataset.hold = `pin ${run}`;
  return node;
};

/* The name opens the run; with it stand tags, the note, and why it failed. */
const nameOf = (record, text, open, baseline) => {
  const opener = button(text, "qr-open", () => open(record.run), `Open ${record.run} below`);
  opener.dataset.hold = `open ${record.run}`;
  opener.classList.add("notranslate");
  const nodes = [opener, ...record.tags.map((tag) => make("span", "qr-tag notranslate", tag))];
  if (record.run === baseline?.run) nodes.push(make("span", "qr-tag qr-baseline", "baseline"));
  if (record.note) nodes.push(make("div", "qr-remark notranslate", record.note));
  if (isBad(record) && record.reason) {
    const why = make("div", "qr-remark qr-bad", record.reason);
    why.title = record.reason;
    nodes.push(why);
  }
  return nodes;
};
