/* A selection of another tool, held against the model that is shown: entries, what is wrong, and
   one button that makes it the plan. */
import { attempt } from "qwen/page/api.js";
import { make, rowOf, write } from "qwen/page/dom.js";
import { readRanges } from "./ranges.js";

const MAX_FILE = 16 * 1024 * 1024;
const TOO_LARGE = "The file is larger than 16 MiB, which is too large for a selection.";

const cell = (text, className = "") => make("td", className, text);

export class PastedPanel {
  constructor(tab) {
    this.tab = tab;
    this.root = tab.find(".qf-pasted");
    this.find = (selector) => this.root.querySelector(selector);
    this.text = this.find(".qs-text");
    this.file = this.find(".qf-pasted-file");
    this.fileName = "";
    this.found = null;
    const actions = {
      read: () => this.read(),
      choose: () => this.file.click(),
      use: () => this.use(),
    };
    this.root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-pasted]");
      if (button && tab.selection) actions[button.dataset.pasted]();
    });
    this.text.addEventListener("input", () => {
      this.fileName = "";
    });
    this.file.addEventListener("change", () => this.readFile());
  }

  /** The model or the plan is another one: what was read of another model is not of this one. */
  follow() {
    if (this.found && this.found.source !== this.tab.source) this.clear();
  }

  async readFile() {
    const [file] = this.file.files;
    if (!file) return;
    if (file.size > MAX_FILE) this.say(TOO_LARGE, true);
    else {
      this.text.value = await file.text();
      this.fileName = file.name;
      await this.read();
    }
    this.file.value = ""; // the same file can be chosen again
  }

  async read() {
    const { source } = this.tab;
    const asked = { text: this.text.value, file: this.fileName };
    this.clear();
    await attempt(
      async () => {
        this.root.classList.add("qf-waits");
        try {
          const found = await this.tab.ask("lint_plan", asked);
          if (source === this.tab.source) this.show({ ...found, source });
        } finally {
          this.root.classList.remove("qf-waits");
        }
      },
      (text) => this.say(text, text !== ""),
    );
  }

  use() {
    const { ranges, name } = this.found;
    const { selection, structure } = this.tab;
    selection.replace(readRanges(ranges, structure.length), name);
    this.say("It is the plan now. Undo brings back the one before.");
  }

  clear() {
    this.found = null;
    this.say("");
    this.find(".qf-pasted-found").hidden = true;
    this.find("[data-pasted=use]").hidden = true;
  }

  say(text, wrong = false) {
    const line = this.find(".qf-pasted-said");
    write(line, text);
    line.classList.toggle("qs-problem", wrong);
  }

  show(found) {
    this.found = found;
    this.say(`${found.title}. ${found.summary}`);
    this.find("[data-pasted=use]").hidden = found.ranges === "";
    this.find(".qf-pasted-found").hidden = false;
    this.find(".qf-pasted-own").hidden = found.own === "";
    write(this.find(".qf-pasted-summary"), found.own);
    write(this.find(".qf-pasted-price"), found.price);
    this.find(".qf-pasted-problems").replaceChildren(...found.problems.map(problemItem));
    this.find("tbody").replaceChildren(...found.entries.map(entryRow));
    if (found.more_entries > 0) {
      const row = rowOf(cell(`and ${found.more_entries.toLocaleString("en")} more entries`));
      row.firstChild.colSpan = 4;
      this.find("tbody").append(row);
    }
    this.find(".qf-pasted-scroll").hidden = found.entries.length === 0;
    const more = found.more_names > 0 ? [`… ${found.more_names.toLocaleString("en")} more`] : [];
    write(this.find(".qf-code code"), [...found.names, ...more].join("\n"));
  }
}

const SIGNS = { error: "✕", warning: "!", note: "i" };

const problemItem = ({ severity, message }) => {
  const item = make("li", `qf-pasted-${severity}`);
  const sign = make("span", "qf-sign", SIGNS[severity]);
  sign.setAttribute("role", "img");
  sign.setAttribute("aria-label", severity);
  item.append(sign, make("span", "", message));
  return item;
};

const entryRow = ({ setting, entry, matches, freezes, problem, example }) => {
  const row = rowOf(
    cell(freezes ? `${setting} (freezes)` : setting, freezes ? "" : "notranslate"),
    cell("", "qf-pasted-entry"),
    cell(matches.toLocaleString("en")),
    cell("", "qf-pasted-entry"),
  );
  row.children[1].append(make("code", "", entry));
  row.children[3].append(make("code", "", example || "–"));
  row.classList.toggle("qf-pasted-wrong", problem !== "");
  if (problem) row.title = problem;
  return row;
};
