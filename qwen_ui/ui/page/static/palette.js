/* The palette (Ctrl+K): a list of all that can be opened, narrowed by typing. */
import { attempt } from "./api.js";
import { make, problemLine, write } from "./dom.js";
import { itemsOf, search } from "./palette_items.js";
import { openTab } from "./tabs.js";
import { wish } from "./wishes.js";

const OPENS = {
  tab: (tab) => openTab(tab),
  model: (model) => wish({ model }),
  plan: (plan) => wish({ plan }),
  "saved plan": (saved) => wish({ saved }),
  run: (run) => {
    openTab("runs");
    document.dispatchEvent(new CustomEvent("q-open", { detail: { tab: "runs", run } }));
  },
};
const NOTHING = "Nothing of this name.";

export class Palette {
  /** `api` asks the server what there is. */
  constructor(api) {
    this.api = api;
    this.items = [];
    this.dialog = make("dialog", "q-dialog q-palette");
    this.dialog.setAttribute("aria-label", "Open a tab, model, plan or run");
    this.query = make("input");
    Object.assign(this.query, { type: "text", placeholder: "Open a tab, model, plan or run" });
    const attributes = { role: "combobox", "aria-expanded": "true", "aria-controls": "q-found" };
    for (const [name, value] of Object.entries(attributes)) this.query.setAttribute(name, value);
    this.query.setAttribute("aria-label", "Open a tab, model, plan or run");
    this.list = make("ul");
    this.list.id = "q-found";
    this.list.setAttribute("role", "listbox");
    this.wrong = problemLine();
    this.dialog.append(this.query, this.list, this.wrong);
    this.query.addEventListener("input", () => this.show());
    this.query.addEventListener("keydown", (event) => this.onKey(event));
    this.dialog.addEventListener("click", (event) => this.onClick(event));
    document.body.append(this.dialog);
  }

  async open() {
    if (this.dialog.open) return;
    this.query.value = "";
    this.show();
    this.dialog.showModal();
    this.query.focus();
    const found = await attempt(
      () => this.api.call("openable"),
      (text) => write(this.wrong, text),
    );
    if (!found) return;
    this.items = itemsOf(found);
    this.show();
  }

  show() {
    this.found = search(this.items, this.query.value);
    this.active = 0;
    const rows = this.found.map((item, place) => {
      const row = make("li");
      row.setAttribute("role", "option");
      row.id = `q-found-${place}`;
      const detail = make("span", "q-found-detail notranslate", item.detail ?? "");
      row.append(make("span", "q-found-name", item.name), detail, make("small", "", item.kind));
      return row;
    });
    this.list.replaceChildren(...rows);
    if (!rows.length) {
      const none = make("li", "q-none", this.items.length ? NOTHING : "");
      none.setAttribute("role", "option");
      none.setAttribute("aria-disabled", "true");
      this.list.append(none);
    }
    this.mark();
  }

  mark() {
    for (const [place, row] of [...this.list.children].entries()) {
      row.setAttribute("aria-selected", String(place === this.active));
    }
    const { id } = this.list.children[this.active];
    if (id) this.query.setAttribute("aria-activedescendant", id);
    else this.query.removeAttribute("aria-activedescendant");
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
  }

  onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) {
      event.preventDefault();
      this.active = (this.active + step + this.found.length) % this.found.length;
      this.mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.choose(this.active);
    }
  }

  onClick(event) {
    if (event.target === this.dialog) this.dialog.close();
    const row = event.target.closest("li[role=option]");
    if (row) this.choose([...this.list.children].indexOf(row));
  }

  choose(place) {
    const item = this.found[place];
    if (!item) return;
    this.dialog.close();
    OPENS[item.kind](item.target);
  }
}
