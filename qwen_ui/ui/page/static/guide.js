/* The guide: keys and help, the palette, and what a first visit is told. */
import { Api } from "./api.js";
import { button, make } from "./dom.js";
import { helpDialog } from "./help.js";
import { Palette } from "./palette.js";
import { openTab, whenShown } from "./tabs.js";

const SEEN = "qwen-welcome"; // in the browser's own storage
const LINES = [
  "Inspect: what the model is made of, without loading its weights.",
  "Freeze: which parameters train, and what a step of that costs.",
  "Train and Compare: what that choice gains, and what the model forgets.",
];
const DEMONSTRATION = "Compare attention-only with BitFit on nano: about a minute";

const isField = (node) => node.closest?.("input, textarea, select, [contenteditable]");

class Guide {
  constructor({ element, props, server }) {
    this.api = new Api(server);
    this.root = element.querySelector(".q-guide");
    this.palette = new Palette(this.api);
    this.help = helpDialog(JSON.parse(props.guides));
    const find = button("Find", "q-guide-find", () => this.palette.open(), "Ctrl+K");
    const ask = button("?", "q-guide-help", () => this.help.showModal(), "Keys and help (?)");
    ask.setAttribute("aria-label", "Keys and help");
    this.root.append(find, ask);
    document.addEventListener("keydown", (event) => this.onKey(event));
    this.welcome();
  }

  onKey(event) {
    const { key, ctrlKey, metaKey, altKey, target } = event;
    if ((ctrlKey || metaKey) && !altKey && key.toLowerCase() === "k") {
      event.preventDefault();
      this.palette.open();
    } else if (key === "?" && !isField(target) && !this.help.open) {
      event.preventDefault();
      this.help.showModal();
    }
  }

  /* Where there is no run yet, and nobody has said that it was read. */
  async welcome() {
    if (localStorage.getItem(SEEN)) return;
    const { runs } = await this.api.call("openable");
    if (runs.length) return;
    const place = document.querySelector("#q-welcome");
    if (!place) return;
    const note = make("section", "q-welcome");
    note.setAttribute("aria-label", "What this page does");
    const list = make("ol");
    list.append(...LINES.map((text) => make("li", "", text)));
    const done = () => {
      localStorage.setItem(SEEN, "read");
      note.remove();
    };
    const run = button(DEMONSTRATION, "q-primary", () => {
      done();
      this.demonstrate();
    });
    const row = make("div", "q-welcome-row");
    row.append(run, button("Close", "", done));
    note.append(list, row);
    place.append(note);
  }

  async demonstrate() {
    openTab("compare");
    (await whenShown("#qc-classic", (node) => !node.disabled))?.click();
  }
}

/** Mounts it. `guides` of the props: JSON of [title, address] of the documentation's pages. */
export const mount = (component) => new Guide(component);
