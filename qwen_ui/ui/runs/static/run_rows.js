/* A row of the table of runs, and the heads of its columns. `data-hold` names what keeps the focus
   when the table is drawn anew. */
import { button, make } from "qwen/page/dom.js";
import { isBad } from "qwen/page/run_words.js";
import { calledBy } from "./run_list.js";

const classesOf = ({ key, figure, minor }) =>
  [figure && "qr-figure", minor && "qr-minor", `qr-col-${key}`].filter(Boolean).join(" ");

/** A column's head, which sorts by it; `sort` is {key, down}, as it is sorted now. */
export const headOf = (column, { key, down }, onsort) => {
  const sorted = key === column.key;
  const [sign, order] = down ? [" ↓", "descending"] : [" ↑", "ascending"];
  const node = button(sorted ? column.title + sign : column.title, "qr-sort", onsort);
  node.dataset.hold = `sort ${column.key}`;
  const cell = make("th", classesOf(column));
  cell.setAttribute("aria-sort", sorted ? order : "none");
  cell.append(node);
  return cell;
};

/**
 * @param record of the server's list.
 * @param list the `RunList`: what is ticked and opened.
 * @param best the run with the best evaluation loss, or null.
 * @param open is called with the run to open.
 * @param tick is called with a run and whether it is ticked now.
 */
export const rowOf = (record, { list, best, open, tick }) => {
  const row = make("tr");
  const box = tickOf(record, list.ticked.has(record.run), tick);
  const first = make("td");
  first.append(box);
  row.append(first, ...list.columns.map((column) => cellOf(record, column, best, open)));
  row.classList.toggle("qr-ticked", box.checked);
  row.classList.toggle("qr-current", record.run === list.opened);
  return row;
};

const tickOf = (record, ticked, tick) => {
  const box = make("input");
  box.type = "checkbox";
  box.checked = ticked;
  box.dataset.hold = `tick ${record.run}`;
  box.setAttribute("aria-label", `Overlay ${calledBy(record)}`);
  box.addEventListener("change", () => tick(record.run, box.checked));
  return box;
};

const cellOf = (record, column, best, open) => {
  const cell = make("td", classesOf(column));
  const text = column.text(record);
  if (column.key === "name") cell.append(...nameOf(record, text, open));
  else if (column.key === "status") cell.append(make("span", `qr-badge qr-${text}`, text));
  else cell.textContent = text;
  if (column.key === "plan" || column.key === "model") cell.title = record[column.key];
  if (column.key === "eval_after" && record.run === best) {
    cell.classList.add("qr-best");
    cell.prepend(make("span", "qr-best-sign", "best "));
  }
  return cell;
};

/* The name opens the run; with it stand tags, the note, and why it failed. */
const nameOf = (record, text, open) => {
  const opener = button(text, "qr-open", () => open(record.run), `Open ${record.run} below`);
  opener.dataset.hold = `open ${record.run}`;
  const nodes = [opener, ...record.tags.map((tag) => make("span", "qr-tag", tag))];
  if (record.note) nodes.push(make("div", "qr-remark", record.note));
  if (isBad(record) && record.reason) {
    const why = make("div", "qr-remark qr-bad", record.reason);
    why.title = record.reason;
    nodes.push(why);
  }
  return nodes;
};
