/* The plan as text for another tool. Follows the plan that Python has confirmed. */
import { messageOf } from "qwen/page/api.js";
import { copyFrom } from "qwen/page/clipboard.js";
import { write } from "qwen/page/dom.js";
import { save } from "qwen/page/download.js";
import { Latest } from "./latest.js";

const EXPORT_MS = 60;
const FIRST_FORMAT = "pytorch";

export class ExportPanel {
  constructor(tab) {
    this.tab = tab;
    const root = tab.find(".qf-export");
    this.format = root.querySelector(".qf-format");
    this.code = root.querySelector("code");
    this.text = "";
    this.file = "";
    this.exports = new Latest(
      EXPORT_MS,
      (current) => this.write(current),
      (error) => this.show({ problem: messageOf(error) }),
    );
    this.format.addEventListener("change", () => this.follow());
    root.querySelector(".qf-copy").addEventListener("click", (event) => {
      const button = event.currentTarget;
      tab.attempt(() => copyFrom(button, this.text));
    });
    root.querySelector(".qf-save").addEventListener("click", () => {
      if (this.text) save(this.file, this.text, "text/plain");
    });
  }

  follow() {
    if (this.tab.selection) this.exports.ask();
  }

  async write(current) {
    if (!this.format.options.length) await this.listFormats();
    const ranges = this.tab.selection.ranges();
    const answer = await this.tab.ask("export_plan", { ranges, name: this.format.value });
    if (current()) this.show(answer);
  }

  async listFormats() {
    const { formats } = await this.tab.ask("list_formats");
    this.format.replaceChildren(...formats.map(([name, title]) => new Option(title, name)));
    this.format.value = FIRST_FORMAT;
  }

  show({ text = "", file = "", problem = "" }) {
    this.text = text;
    this.file = file;
    write(this.code, problem || text);
    this.code.classList.toggle("qs-problem", problem !== "");
  }
}
