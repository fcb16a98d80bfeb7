/* The view of a comparison (Compare tab). All DOM is owned here; the server is asked where the
   comparison stands as long as it runs. Longer than others: verdict, table and charts are drawn from
   one answer, and what can be computed without a document is in `comparison_data.js`. */
import { Api, attempt, isRefusal, messageOf } from "qwen/page/api.js";
import {
  announce,
  button,
  make,
  makeScroller,
  problemLine,
  rowOf,
  select,
  tableOf,
  write,
} from "qwen/page/dom.js";
import { save } from "qwen/page/download.js";
import { logAxis } from "qwen/page/log_ticks.js";
import { placeOf as placeNamed } from "qwen/page/place.js";
import { colour, CONFIG, keepFitting, layout, onTheme, plotly } from "qwen/page/plotly.js";
import { placeOf, Poller } from "qwen/page/poller.js";
import { rateLayout, rateTraces } from "qwen/page/rate_curve.js";
import * as data from "./comparison_data.js";
import { comparisonExpected, noteOf, rateNote, sampleOf, waitingFor } from "./comparison_parts.js";

const POLL_MS = 1000;
const COLOURS = ["accent", "role-attention", "role-mlp", "role-norm", "role-head", "role-expert"];
const HEIGHT = 320;

class Comparison {
  constructor({ element, props, server, watch }) {
    this.api = new Api(server);
    this.axis = "step";
    this.root = element.querySelector(".qc-view");
    this.root.view = this;
    this.root.dataset.view = "";
    this.props = props;
    this.poller = new Poller({
      ask: (current) => this.ask(current),
      every: () => (this.found.over ? null : POLL_MS),
      tell: (error) => this.tell(error),
      place: placeOf(element),
      ends: isRefusal,
    });
    onTheme(() => this.found && this.draw());
    const { comparison } = placeNamed(window.location.search);
    if (comparison) props.value = comparison;
    document.addEventListener("q-open", ({ detail }) => this.follow(detail));
    watch("value", () => this.open(props.value));
    this.open(props.value);
  }

  /* The page's address names another comparison, or none. */
  follow({ tab, comparison }) {
    if (tab !== "compare" || !comparison || comparison === this.name) return;
    this.props.value = comparison;
    this.open(comparison);
  }

  /** A comparison was asked for, and will be shown as soon as there is one. */
  expect() {
    this.poller.stop();
    this.expecting = true;
    this.waiting = comparisonExpected();
    this.root.replaceChildren(this.waiting);
  }

  /** It was refused: what was shown before is shown again. */
  expectNothing() {
    if (this.expecting) this.open(this.name);
  }

  stop() {
    return attempt(
      () => this.act("stop"),
      (text) => write(this.parts.wrong, text),
    );
  }

  open(name) {
    this.expecting = this.asked = false;
    this.poller.stop();
    this.name = name || "";
    this.found = this.parts = null;
    this.silence = problemLine(); // of the questions
    this.waiting = waitingFor(this.name);
    this.root.replaceChildren(this.silence, this.waiting);
    if (this.name) this.poller.now();
    else announce(this.root, { run: "", status: "", stopping: false, said: "" });
  }

  tell(error) {
    write(this.silence, error ? messageOf(error) : "");
    this.waiting.hidden = Boolean(error);
  }

  async ask(current) {
    const { name, axis } = this;
    const found = await this.api.call("state", { name, axis });
    if (!current()) return;
    this.found = found;
    this.plans = found.plans;
    this.tellOf(found);
    await this.draw();
  }

  tellOf(found) {
    const status = found.over ? "completed" : "running";
    const said = found.over ? "" : data.progressOf(found);
    announce(this.root, { run: found.name, status, stopping: this.asked, said });
  }

  build() {
    const parts = {
      headline: make("h2", "qc-headline"),
      verdict: make("p", "qc-verdict"),
      setup: make("p", "qc-setup"),
      runs: make("div", "qc-bar"),
      buttons: make("div", "qc-bar"),
      wrong: problemLine(),
      charts: make("div", "qc-charts"),
      table: makeScroller("div", "qc-scroll", "Plans side by side"),
      rated: make("div", "qc-rated"),
      notes: make("ul", "qc-notes"),
      samples: make("div", "qc-samples"),
    };
    parts.verdict.setAttribute("role", "status");
    this.waiting.replaceWith(...Object.values(parts));
    this.parts = parts;
    parts.curves = this.figure("Evaluation loss (nats per token), training loss thin");
    parts.front = this.figure("Loss after training against trainable parameters");
    parts.kept = this.figure("Gain against forgetting (nats per token); up and left is better");
    parts.rates = this.figure("Loss of the short runs by learning rate; a star is the rate found");
    parts.buttons.append(this.tools());
  }

  tools() {
    const row = make("div", "qc-tools");
    const say = (text) => write(this.parts.wrong, text);
    const axes = { step: "by step", elapsed: "by second" };
    const axis = select(axes, this.axis, (value) => {
      this.axis = value;
      this.poller.now();
    });
    axis.className = "q-button";
    axis.setAttribute("aria-label", "X axis of the curves");
    const tool = (text, work) => button(text, "", () => attempt(work, say));
    this.parts.stop = tool("Stop", () => this.act("stop"));
    this.parts.resume = tool("Resume", () => this.act("resume"));
    row.append(
      axis,
      this.parts.stop,
      this.parts.resume,
      tool("Markdown", () => this.report("markdown", "comparison.md")),
      tool("HTML", () => this.report("html", "comparison.html")),
    );
    return row;
  }

  figure(title) {
    const node = make("figure");
    const plot = keepFitting(make("div", "qc-plot"));
    node.append(make("figcaption", "", title), plot);
    this.parts.charts.append(node);
    return plot;
  }

  async act(action) {
    this.asked = action === "stop";
    await this.api.call("act", { name: this.name, action });
    this.poller.now();
  }

  async report(format, file) {
    const { text } = await this.api.call("report", { name: this.name, format });
    save(file, text, `text/${format}`);
  }

  paint = (plan) => colour(COLOURS[this.plans.indexOf(plan) % COLOURS.length]);

  async draw() {
    const { found } = this;
    if (!this.parts) this.build();
    const { headline, setup, verdict, runs, table, rated, notes, samples } = this.parts;
    const { stop, resume } = this.parts;
    const done = data.isDone(found);
    write(headline, data.headlineOf(found));
    headline.hidden = !found.headline;
    write(setup, found.setup);
    write(verdict, data.verdictOf(found));
    const failures = data.failuresOf(found).map((text) => make("p", "qc-reason", text));
    const going = done ? [] : [...this.searches(), ...found.runs.map((run) => this.run(run))];
    runs.replaceChildren(...going, ...failures);
    stop.hidden = found.over;
    resume.hidden = !found.over || done;
    table.replaceChildren(...(found.rows.length ? [this.figures(found.rows)] : []));
    rated.replaceChildren(...(found.rows.length ? [rateNote(found.rows)] : []));
    notes.replaceChildren(...found.notes.map((note) => noteOf(note, found.plans)));
    samples.replaceChildren(
      ...found.samples.map((sample) => sampleOf(sample, this.plan(sample.plan))),
    );
    await this.plots();
  }

  run(run) {
    return this.badge(run, data.runInWords(run));
  }

  /* The searches for rates that are not over. */
  searches() {
    const going = this.found.searches.filter(({ over }) => !over);
    return going.map((search) => this.badge(search, data.searchInWords(search)));
  }

  badge({ plan, status, reason }, words) {
    const node = make("span", status === "failed" ? "qc-run qc-failed" : "qc-run");
    node.append(this.dot(plan), make("span", "", words));
    if (reason) node.title = reason;
    return node;
  }

  dot(plan) {
    const node = make("span", "qc-dot");
    node.style.background = this.paint(plan);
    return node;
  }

  plan(name) {
    const node = make("span", "qc-plan");
    node.append(this.dot(name), make("span", "", name));
    return node;
  }

  /* The table. */
  figures(rows) {
    const columns = data.columnsOf(rows);
    const after = columns.findIndex(([title]) => title === "after");
    const heads = columns.map(([title, , words]) => {
      const head = make("th", "", title);
      if (words) head.title = words;
      return head;
    });
    const best = data.bestPlan(rows);
    const lines = rows.map((row) => {
      const cells = columns.map(([, text]) => make("td", "", text(row)));
      cells[0].replaceChildren(this.plan(row.plan));
      cells[after].classList.toggle("qc-best", row.plan === best);
      return rowOf(...cells);
    });
    return tableOf("qc-table", heads, lines);
  }

  async plots() {
    const { found } = this;
    const { curves, front, kept, rates } = this.parts;
    const begun = found.runs.some((run) => Object.keys(run.lines).length);
    const searched = rateTraces(found.searches, this.paint);
    curves.parentNode.hidden = !begun;
    front.parentNode.hidden = !found.rows.length;
    const forgotten = data.keptFront(found.rows, this.paint);
    kept.parentNode.hidden = !forgotten.length;
    rates.parentNode.hidden = !searched.length;
    if (!begun && !searched.length) return;
    const library = await plotly();
    if (searched.length) await library.react(rates, searched, rateLayout(searched, HEIGHT), CONFIG);
    if (!begun) return;
    const look = layout(this.axis, { height: HEIGHT });
    await library.react(curves, data.curves(found.runs, this.paint), look, CONFIG);
    if (front.parentNode.hidden) return;
    const counts = logAxis(found.rows.map(({ trainable }) => trainable));
    const x = { ...counts, title: { text: "trainable parameters" } };
    const frontLook = layout("", { height: HEIGHT, x, y: { automargin: true } });
    frontLook.hovermode = "closest";
    await library.react(front, data.front(found.rows, this.paint), frontLook, CONFIG);
    if (!forgotten.length) return;
    const y = { automargin: true, title: { text: "gained" } };
    const keptLook = layout("", { height: HEIGHT, x: { title: { text: "forgotten" } }, y });
    keptLook.hovermode = "closest";
    await library.react(kept, forgotten, keptLook, CONFIG);
  }
}

/** Mounts the view on a component of gradio's; its value is the comparison's name. */
export const mount = (component) => new Comparison(component);
