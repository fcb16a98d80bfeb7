/* The table of runs (Runs tab): sorted, filtered, put together, ticked, opened. All DOM is owned here;
   what changed in the list comes every few seconds while the tab is in view. */
import { Api, attempt, messageOf } from "qwen/page/api.js";
import { button, make, problemLine, tableOf, write } from "qwen/page/dom.js";
import { save } from "qwen/page/download.js";
import { placeOf as placeNamed } from "qwen/page/place.js";
import { placeOf, Poller } from "qwen/page/poller.js";
import { Overlay } from "./overlay.js";
import { RunList } from "./run_list.js";
import { groupRowOf, headOf, rowOf } from "./run_rows.js";
import { RunTools } from "./run_tools.js";

const REFRESH_MS = 2000;
const MOST_ROWS = 200;
const KEPT = "qwen-runs"; // in the browser tab's own storage
const COMMAND = "qwen-ui train nano --preset bitfit";
const NONE =
  "Launch one on the Train tab, or from a terminal." +
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
    document.addEventListener("q-open", ({ detail }) => this.follow(detail));
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
    this.scroll.setAttribute("role", "region");
    this.scroll.setAttribute("aria-label", "Runs");
    this.scroll.append(this.table);
    this.wrong = problemLine(); // what a person asked for
    this.silence = problemLine(); // the list itself
    this.none = make("div", "q-empty");
    const command = make("p");
    command.append(make("code", "", COMMAND));
    this.none.append(make("strong", "", "No runs yet"), make("p", "", NONE), command);
    this.none.hidden = true;
    const act = (work) => () => attempt(work, (text) => write(this.wrong, text));
    this.tools = new RunTools(this.list, {
      changed: () => this.changed(),
      sort: (key) => this.sortBy(key),
      actions: {
        clear: () => this.untick(),
        csv: act(() => this.save("csv")),
        html: act(() => this.save("html")),
        remove: act(() => this.remove()),
      },
    });
    this.missed = make("div", "q-empty qr-missed");
    this.said = make("strong", "");
    const clear = () => this.tools.clearFilter();
    this.missed.append(this.said, make("p"), button("Clear the filter", "", clear));
    this.missed.hidden = true;
    const notes = [this.none, this.missed, this.wrong, this.silence];
    this.root.replaceChildren(this.tools.node, this.scroll, ...notes, this.overlay.node);
  }

  async ask(current) {
    const { seen, membersSeen } = this.list;
    const answer = await this.api.call("listing", { seen, members_seen: membersSeen });
    if (!current()) return;
    const ticked = this.list.ticked.size;
    const regrouped = this.list.takeMembers(answer);
    const change = this.list.merge(answer);
    if (change === "incomplete") this.poller.now();
    if (change !== "changed" && !regrouped) return;
    this.draw();
    if (!this.restored) this.restore();
    else if (this.list.ticked.size !== ticked) this.ticksChanged(); // some were deleted
  }

  /* What was ticked and opened before the page was loaded again; a link's run comes first. */
  restore() {
    this.restored = true;
    if (this.list.ticked.size) this.showOverlay();
    const linked = this.wanted ?? placeNamed(window.location.search).run;
    if (this.list.runs.has(linked)) {
      this.open(linked);
      return;
    }
    if (linked) write(this.wrong, `There is no run ${linked} here. It may have been deleted.`);
    if (this.list.runs.has(this.list.opened)) this.props.value = this.list.opened;
  }

  draw() {
    const { list } = this;
    const found = list.found();
    const focused = document.activeElement?.dataset?.hold;
    const heads = list.columns.map((column) =>
      headOf(column, list.sort, () => this.sortBy(column.key)),
    );
    const drawn = tableOf("qr-runs", [make("th"), ...heads], this.rows(found));
    this.table.replaceWith(drawn);
    this.table = drawn;
    if (focused) this.table.querySelector(`[data-hold="${CSS.escape(focused)}"]`)?.focus();
    this.tools.draw(found.length, MOST_ROWS);
    this.none.hidden = Boolean(list.runs.size);
    this.scroll.hidden = !found.length;
    this.missed.hidden = !list.runs.size || found.length > 0;
    write(this.said, `No run is found by “${list.query}”`);
  }

  rows(found) {
    const { list } = this;
    const means = {
      list,
      best: list.best(found),
      open: (run) => this.open(run),
      tick: this.tick,
      pin: (run) => this.pin(run),
    };
    const shown = found.slice(0, MOST_ROWS);
    if (!list.by) return shown.map((record) => rowOf(record, means));
    return list
      .groups(shown)
      .flatMap((group) => [
        ...(group.rows.length > 1 ? [groupRowOf(group, means)] : []),
        ...group.rows.map((record) => rowOf(record, means)),
      ]);
  }

  /* The page's address, or a list of all that can be opened, names a run. */
  follow({ tab, run }) {
    if (tab !== "runs" || !run || run === this.list.opened) return;
    if (this.list.runs.has(run)) this.open(run);
    else this.wanted = run;
  }

  sortBy(key) {
    this.list.sortBy(key);
    this.changed();
  }

  tick = (runs, on) => {
    for (const run of runs) this.list.tick(run, on);
    this.ticksChanged();
  };

  pin(run) {
    this.list.baseline = run;
    this.ticksChanged();
  }

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
    this.overlay.regroup((run) => this.list.groupOf(run));
  }

  ticksChanged() {
    this.changed();
    this.showOverlay();
  }

  showOverlay() {
    const { overlaid, baseline } = this.list;
    this.overlay.show(overlaid, { baseline, groupOf: (run) => this.list.groupOf(run) });
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
