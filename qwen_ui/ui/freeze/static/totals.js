/* What the plan trains, in numbers: drawn at once, before Python knows. */
import { make, tableOf, write } from "qwen/page/dom.js";
import { exact, percent } from "qwen/page/format.js";
import { barWidth } from "./bar_scale.js";

const share = (part, all) => percent(all ? part / all : 0);

export class Totals {
  constructor(tab) {
    this.tab = tab;
    this.scale = "linear";
    this.table = tab.find(".qs-table");
    this.table.addEventListener("toggle", () => this.showTable());
  }

  show() {
    const { trained, tensors, states } = this.tab.selection;
    const { total, length, rows, blocks } = this.tab.structure;
    const touched = rows.filter((row) => row.block >= 0 && row.tensors.some((t) => states[t]));
    const texts = {
      ".qs-trainable": exact(trained),
      ".qs-of": `of ${exact(total)} parameters train`,
      ".qs-share": share(trained, total),
      ".qs-tensors": `${exact(tensors)} of ${exact(length)}`,
      ".qs-frozen": exact(total - trained),
      ".qs-touched": `${touched.length} of ${blocks}`,
    };
    for (const [selector, text] of Object.entries(texts)) write(this.tab.find(selector), text);
    const width = barWidth(trained, total, this.scale);
    this.tab.find(".qs-wide").style.setProperty("--part", `${width.toFixed(3)}%`);
    this.showTable();
  }

  showTable() {
    const { selection, structure } = this.tab;
    if (!this.table.open || !selection) return;
    const heads = ["block", "trains", "of", "share"].map((text) => make("th", "", text));
    const own = structure.rows.filter(({ tied }) => !tied); // a second name is counted under its first
    const lines = own.map(({ label, numel, tensors }) => {
      const part = selection.trainedOf(tensors);
      const line = make("tr");
      const texts = [exact(part), exact(numel), share(part, numel)];
      line.append(make("th", "", label), ...texts.map((text) => make("td", "", text)));
      return line;
    });
    this.table.lastElementChild.replaceChildren(tableOf("", heads, lines));
  }

  /** Python's notes on the plan, and what is wrong with it. */
  showNotes({ warnings, problem }) {
    const notes = warnings.map((text) => make("li", "", text));
    if (problem) notes.unshift(make("li", "qs-problem", problem));
    this.tab.find(".qs-notes").replaceChildren(...notes);
  }
}
