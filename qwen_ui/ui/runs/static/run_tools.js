/* What stands over the table of runs: the filter, how runs are put together, which columns there are,
   and what is done with the ticked ones. */
import { button, choice, make } from "qwen/page/dom.js";
import { GROUPINGS } from "./run_groups.js";

const HINT =
  "All words must be found. status:failed, plan:bitfit, seed:1 look in one column, -nano leaves out.";
const MANY = 6; // below so many runs nobody filters

export class RunTools {
  /**
   * @param list the `RunList`.
   * @param changed is called when what is shown is another.
   * @param sort is called with a column's key.
   * @param actions {clear, csv, html, remove}, of the ticked runs.
   */
  constructor(list, { changed, sort, actions }) {
    Object.assign(this, { list, changed, sort });
    this.node = make("div", "qr-table-tools");
    this.query = this.filter();
    this.hint = make("p", "q-hint qr-filter-hint", HINT);
    this.hint.id = "qr-filter-hint";
    this.query.setAttribute("aria-describedby", this.hint.id);
    this.found = make("span", "qr-found");
    this.found.setAttribute("role", "status");
    this.columns = make("details", "qr-columns");
    this.columnList = make("div", "qr-column-list");
    this.columns.append(make("summary", "", "Columns"), this.columnList);
    this.order = make("span", "qr-order"); // in place of the table's head on a narrow screen
    this.actions = make("span", "qr-actions");
    this.actions.append(
      button("Untick all", "", actions.clear, "Overlay none of them"),
      button("CSV", "", actions.csv, "All steps of the ticked runs"),
      button("HTML report", "", actions.html, "One file that needs no server"),
      button("Delete", "", actions.remove, "Delete the ticked runs"),
    );
    const group = choice("Group by", GROUPINGS, list.by, (by) => {
      list.by = by;
      changed();
    });
    this.node.append(
      this.query,
      this.found,
      group,
      this.order,
      this.columns,
      this.actions,
      this.hint,
    );
  }

  filter() {
    const input = Object.assign(make("input"), {
      type: "search",
      value: this.list.query,
      placeholder: "Filter runs",
    });
    input.setAttribute("aria-label", "Filter runs");
    input.addEventListener("input", () => {
      this.list.query = input.value;
      this.changed();
    });
    return input;
  }

  /** Show every run again. */
  clearFilter() {
    this.query.value = "";
    this.list.query = "";
    this.changed();
    this.query.focus();
  }

  /** Bring it up to what the list holds: so many rows are found, at most so many shown. */
  draw(found, most) {
    const { list } = this;
    const text = list.summary(found, most);
    if (this.found.textContent !== text) this.found.textContent = text;
    this.node.hidden = !list.runs.size;
    this.hint.hidden = list.runs.size < MANY && !list.query;
    for (const node of this.actions.children) node.disabled = !list.ticked.size;
    this.drawColumns();
  }

  drawColumns() {
    const { list } = this;
    const key = JSON.stringify([list.choosable.map((column) => column.key), list.sort]);
    if (key === this.drawn) return;
    this.drawn = key;
    const chosen = list.choosable.filter(({ fixed }) => !fixed);
    this.columnList.replaceChildren(...chosen.map((column) => this.columnBox(column)));
    const titles = Object.fromEntries(list.choosable.map(({ key: k, title }) => [k, title]));
    this.order.replaceChildren(choice("Sort by", titles, list.sort.key, this.sort));
  }

  columnBox({ key, title, words }) {
    const node = make("label", "qr-tick");
    const box = Object.assign(make("input"), { type: "checkbox" });
    box.checked = !this.list.hidden.has(key);
    box.addEventListener("change", () => {
      this.list.showColumn(key, box.checked);
      this.changed();
    });
    if (words) node.title = words;
    node.append(box, title);
    return node;
  }
}
