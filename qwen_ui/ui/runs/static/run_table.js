/* The table of runs (Runs tab): sorted, searched, ticked, opened. All DOM is owned here; what changed
   in the list comes every few seconds while the tab is in view. */
import { Api, attempt, messageOf } from "qwen/page/api.js";
import { button, make, problemLine, tableOf, write } from "qwen/page/dom.js";
import { save } from "qwen/page/download.js";
import { placeOf, Poller } from "qwen/page/poller.js";
import { Overlay } from "./overlay.js";
import { RunList } from "./run_list.js";
import { headOf, rowOf } from "./run_rows.js";

const REFRESH_MS = 2000;
const MOST_ROWS = 200;
const KEPT = "qwen-runs"; // in the browser tab's own storage
const NONE =
  "Launch one on the Train tab, or from a terminal: qwen-ui train nano --preset attention." +
  " Each is a row here: sort, filter, tick several to overlay them.";

const recalled = () => {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
  } catch {
    return {}; // not ours: begin anew
  }
};

class RunTable {
  constructor({ element, props, server }) {
    this.api = new Api(server);
    this.props = props;
    this.list = new RunList(recalled());
    this.root = element.querySelector(".qr-list");
    this.overlay = new Overlay(this.api);
    this.build();
    this.poller = new Poller({
      ask: (current) => this.ask(current),
      every: () => REFRESH_MS,
      tell: (error) => write(this.silence, error ? messageOf(error) : ""),
      place: placeOf(element),
    });
    this.poller.now();
  }

  build() {
    this.table = make("table", "qr-runs");
    this.scroll = make("div", "qr-scroll qr-runs-scroll");
    this.scroll.tabIndex = 0;
    this.scroll.append(this.table);
    this.wrong = problemLine(); // what a person asked for
    this.silence = problemLine(); // the list itself
    this.none = make("div", "q-empty");
    this.none.append(make("strong", "", "No runs yet"), make("p", "", NONE));
    this.none.hidden = true;
    const notes = [this.none, this.wrong, this.silence];
    this.root.replaceChildren(this.tools(), this.scroll, ...notes, this.overlay.node);
  }

  tools() {
    const row = make("div", "qr-table-tools");
    this.query = Object.assign(make("input"), {
      type: "search",
      value: this.list.query,
      placeholder: "Filter: attention, failed, nano …",
    });
    this.query.setAttribute("aria-label", "Filter runs");
    this.query.addEventListener("input", () => {
      this.list.query = this.query.value;
      this.changed();
    });
    this.found = make("span", "qr-found");
    this.found.setAttribute("role", "status");
    this.actions = make("span", "qr-actions");
    const act = (work) => () => attempt(work, (text) => write(this.wrong, text));
    this.actions.append(
      button("Untick", "", () => this.untick(), "Untick all runs"),
      button(
        "CSV",
        "",
        act(() => this.save("csv")),
        "All steps of the ticked runs",
      ),
      button(
        "HTML report",
        "",
        act(() => this.save("html")),
        "One file that needs no server",
      ),
      button(
        "Delete",
        "",
        act(() => this.remove()),
        "Delete the ticked runs",
      ),
    );
    row.append(this.query, this.found, this.actions);
    return row;
  }

  async ask(current) {
    const answer = await this.api.call("listing", { seen: this.list.seen });
    if (!current()) return;
    const ticked = this.list.ticked.size;
    const change = this.list.merge(answer);
    if (change === "incomplete") this.poller.now();
    if (change !== "changed") return;
    this.draw();
    if (!this.restored) this.restore();
    else if (this.list.ticked.size !== ticked) this.ticksChanged(); // some were deleted
  }

  /* What was ticked and opened before the page was loaded again; a link's run comes first. */
  restore() {
    this.restored = true;
    if (this.list.ticked.size) this.overlay.show([...this.list.ticked]);
    const linked = new URLSearchParams(window.location.search).get("run");
    if (this.list.runs.has(linked)) {
      this.open(linked);
      return;
    }
    if (linked) write(this.wrong, `There is no run ${linked} here. It may have been deleted.`);
    if (this.list.runs.has(this.list.opened)) this.props.value = this.list.opened;
  }

  draw() {
    const found = this.list.found();
    const rows = found.slice(0, MOST_ROWS);
    const best = this.list.best(found);
    const none = !this.list.runs.size;
    write(this.found, this.list.summary(found.length, MOST_ROWS));
    const focused = document.activeElement?.dataset?.hold;
    const heads = this.list.columns.map((column) =>
      headOf(column, this.list.sort, () => this.sortBy(column.key)),
    );
    const means = { list: this.list, best, open: (run) => this.open(run), tick: this.tick };
    const lines = rows.map((record) => rowOf(record, means));
    const drawn = tableOf("qr-runs", [make("th"), ...heads], lines);
    this.table.replaceWith(drawn);
    this.table = drawn;
    if (focused) this.table.querySelector(`[data-hold="${CSS.escape(focused)}"]`)?.focus();
    this.scroll.hidden = this.query.hidden = this.actions.hidden = none;
    this.none.hidden = !none;
    for (const node of this.actions.children) node.disabled = !this.list.ticked.size;
  }

  sortBy(key) {
    this.list.sortBy(key);
    this.changed();
  }

  tick = (run, on) => {
    this.list.tick(run, on);
    this.ticksChanged();
  };

  open(run) {
    this.list.opened = run;
    this.props.value = run;
    this.changed();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const below = document.querySelector("#qr-opened");
    below?.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  }

  changed() {
    sessionStorage.setItem(KEPT, JSON.stringify(this.list.keep()));
    this.draw();
  }

  ticksChanged() {
    this.changed();
    this.overlay.show([...this.list.ticked]);
  }

  untick() {
    this.list.ticked.clear();
    this.ticksChanged();
  }

  async remove() {
    const runs = [...this.list.ticked];
    const many = runs.length === 1 ? "this run" : `these ${runs.length} runs`;
    if (!window.confirm(`Delete ${many}? Their folders are removed.`)) return;
    try {
      await this.api.call("remove", { runs });
    } finally {
      // Some of them may be gone where another could not be removed.
      this.list.seen = "";
      this.poller.now();
    }
  }

  async save(format) {
    const asked = { runs: [...this.list.ticked], format };
    const { text } = await this.api.call("exported", asked);
    save(`runs.${format}`, text, format === "csv" ? "text/csv" : "text/html");
  }
}

/** Mounts the table on a component of gradio's; its value is the run to open. */
export const mount = (component) => new RunTable(component);
