/* Verify a checkpoint against the model that is open: a field, a button, what was found. */
import { Api, attempt, isRefusal, messageOf } from "qwen/page/api.js";
import { button, choice, make, problemLine, rowOf, tableOf, write } from "qwen/page/dom.js";
import { save } from "qwen/page/download.js";
import { exact, rounded, shortCount } from "qwen/page/format.js";
import { HeatGrid, legendOf, shown } from "qwen/page/heat_grid.js";
import { placeOf, Poller } from "qwen/page/poller.js";
import { Scale } from "qwen/page/scale.js";
import { listsOf, movedOf, rankText, verdictOf, wrongOf } from "./verifying_data.js";

const WORKING_MS = 500;
const TO_VERIFY = "qwen-ui-verify"; // what another tab asked for
const ABOUT =
  "Any tool's result beside this model, tensor by tensor: a folder of weights or of an adapter, a " +
  "safetensors file, a run, a hub id that was downloaded.";
const AGAINST = { own: "its own plan, if it has one", current: "the current plan" };

class Verifying {
  constructor({ element, props, server, watch }) {
    this.api = new Api(server);
    this.root = element.querySelector(".qi-verify");
    this.wrong = problemLine();
    this.poller = new Poller({
      ask: (current) => this.ask(current),
      every: () => (this.working ? WORKING_MS : null),
      tell: (error) => this.tell(error),
      place: placeOf(element),
      ends: isRefusal,
    });
    this.against = "own";
    this.build();
    this.take(props.value);
    watch("value", () => this.take(props.value));
  }

  /** The model and the plan in force; what was found is of another model. */
  take(value) {
    const { source, plan } = JSON.parse(value);
    const other = source !== this.source;
    Object.assign(this, { source, plan });
    if (other) this.recall();
  }

  /** Shows the last verification of this model: one that works goes on when a page is loaded anew. */
  async recall() {
    const { source } = this;
    this.clear();
    this.show({ working: false });
    const { key, tuned } = await this.api.call("verify_latest", { source });
    if (source !== this.source || this.working || this.takeUp() || !key) return;
    Object.assign(this, { key, working: true });
    this.field.value ||= tuned;
    this.poller.now();
  }

  /** Names what a run's page asked for, once the model is open that it is of. */
  takeUp() {
    const asked = sessionStorage.getItem(TO_VERIFY);
    const model = new URLSearchParams(window.location.search).get("model");
    if (!asked || (model && model !== this.source)) return false;
    sessionStorage.removeItem(TO_VERIFY);
    this.field.value = asked;
    this.root.scrollIntoView({ block: "center" });
    this.go.focus({ preventScroll: true });
    return true;
  }

  clear() {
    this.result.replaceChildren();
    write(this.said, "");
    write(this.wrong, "");
  }

  build() {
    this.field = Object.assign(make("input", "qi-verify-field"), {
      type: "text",
      placeholder: "/path/to/checkpoint, a run, or owner/name",
      spellcheck: false,
    });
    this.field.setAttribute("aria-label", "Checkpoint");
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !this.go.disabled) this.begin();
    });
    this.go = button("Verify", "", () => this.begin());
    this.stop = button("Stop", "", () => this.end());
    this.stop.hidden = true;
    this.bar = Object.assign(make("progress", "qi-verify-bar"), { max: 100, value: 0 });
    this.bar.hidden = true;
    this.said = make("p", "qi-verify-said");
    this.said.setAttribute("role", "status");
    const row = make("div", "qi-verify-row");
    row.append(
      this.field,
      choice("Hold against", AGAINST, this.against, (value) => {
        this.against = value;
      }),
      this.go,
      this.stop,
      this.bar,
    );
    this.result = make("div");
    this.root.append(
      make("h3", "qi-verify-heading", "Verify a checkpoint against this model"),
      make("p", "q-hint", ABOUT),
      row,
      this.said,
      this.wrong,
      this.result,
    );
  }

  show({ working, percent = 0 }) {
    this.working = working;
    this.go.disabled = working;
    this.stop.hidden = !working;
    this.bar.hidden = !working;
    this.bar.value = percent;
  }

  tell(error) {
    write(this.wrong, error ? messageOf(error) : "");
    if (error && isRefusal(error)) this.show({ working: false });
  }

  trying(work) {
    return attempt(work, (text) => write(this.wrong, text));
  }

  async begin() {
    await this.trying(async () => {
      this.clear();
      const plan = this.against === "current" ? this.plan : "";
      const asked = { source: this.source, tuned: this.field.value, plan };
      this.key = (await this.api.call("verify_begin", asked)).key;
      this.show({ working: true });
      this.poller.now();
    });
  }

  async end() {
    await this.trying(() => this.api.call("verify_stop", { key: this.key }));
    this.poller.now();
  }

  async ask(current) {
    const state = await this.api.call("verify_state", { key: this.key });
    if (!current()) return;
    if (state.percent !== undefined) {
      this.show({ working: true, percent: state.percent });
      return;
    }
    this.show({ working: false });
    if (state.stopped) write(this.said, "Stopped.");
    else this.draw(state.record);
  }

  draw(record) {
    write(this.said, verdictOf(record));
    this.said.classList.toggle("qi-verify-bad", !record.kept);
    const problems = make("ul", "qi-verify-problems");
    for (const { severity, message } of record.problems) {
      problems.append(make("li", severity === "error" ? "qi-verify-bad" : "", message));
    }
    this.result.replaceChildren(
      problems,
      ...this.gridOf(record.grid),
      ...this.changedOf(record),
      ...listsOf(record).map((list) => this.listOf(...list)),
      this.downloads(),
    );
  }

  gridOf(grid) {
    if (!grid.kinds.length) return [];
    const heat = new HeatGrid("Relative change, blocks by kinds");
    heat.build(grid.kinds, grid.blocks);
    const scale = new Scale(movedOf(grid));
    const value = (kind, block) => grid.values[kind][block];
    heat.paint(value, scale, "relative change", wrongOf(grid));
    return [make("h4", "", "Relative change"), heat.node, legendOf(scale, "unchanged")];
  }

  changedOf({ changed, counts }) {
    if (!changed.length) return [];
    const heads = ["changed", "relative change", "largest", "rank", "elements"];
    const rows = changed.map((change) =>
      rowOf(
        make("td", "qi-verify-name", change.name),
        make("td", "", shown(change.relative_change)),
        make("td", "", shown(change.largest)),
        make("td", "", rankText(change, rounded)),
        make("td", "", shortCount(change.elements)),
      ),
    );
    const scroll = make("div", "qi-verify-scroll");
    scroll.tabIndex = 0;
    const cells = heads.map((head) => make("th", "", head));
    scroll.append(tableOf("qi-verify-table", cells, rows));
    const more = counts.changed - changed.length;
    const rest = more ? [make("p", "q-hint", `And ${exact(more)} more, in the download.`)] : [];
    return [scroll, ...rest];
  }

  listOf(title, names, count) {
    const details = make("details", "qi-verify-list");
    const list = make("ul");
    list.append(...names.map((name) => make("li", "", name)));
    details.append(make("summary", "", `${title} (${exact(count)})`), list);
    details.open = count <= 10;
    return details;
  }

  downloads() {
    const row = make("div", "qi-verify-row");
    const offer = (label, of, type, ending) =>
      button(label, "", () =>
        this.trying(async () => {
          const found = await this.api.call("verify_report", { key: this.key });
          save(`verification.${ending}`, of(found), type);
        }),
      );
    row.append(
      offer("Download Markdown", ({ markdown }) => markdown, "text/markdown", "md"),
      offer("Download JSON", ({ record }) => JSON.stringify(record), "application/json", "json"),
    );
    return row;
  }
}

/** Mounts the section on a component of gradio's; its value names model and plan. */
export const mount = (component) => new Verifying(component);
