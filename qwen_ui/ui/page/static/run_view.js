/* The view of one run (Train and Runs tabs). It asks for what is new since its offset, and draws it
   in place. Longer than others: its parts have files of their own, and here is the order in which
   one answer reaches them. */
import { Api, attempt, isRefusal, messageOf } from "./api.js";
import { announce, problemLine, write } from "./dom.js";
import { save } from "./download.js";
import { placeOf as placeNamed } from "./place.js";
import { drawer, onTheme, plotly } from "./plotly.js";
import { placeOf, Poller } from "./poller.js";
import { describeForm, retryForm } from "./run_forms.js";
import { RunParts } from "./run_parts.js";
import { noRun, runExpected } from "./run_waiting.js";
import { isOver, saidInBar } from "./run_words.js";
import { ZoomDetail } from "./zoom_detail.js";

const OVER_MS = 3000; // from question to question when the run is over: it may be resumed
// The server thins what it sends (`runs/thinning.py`), and nothing is thinned here. A line grows by
// what is new; when it is twice as long as the server sends at most, the whole is asked for again.
const MOST_POINTS = 2400;
const FEW_POINTS = 1100; // so many are not thinned: a zoom has nothing more to show

class RunView {
  constructor({ element, props, server, watch }) {
    this.api = new Api(server);
    this.props = props;
    this.look = { smoothing: 0.9, axis: "step" };
    this.root = element.querySelector(".qr-view");
    this.root.view = this;
    this.detail = new ZoomDetail({
      ask: ([low, high]) => this.api.call("zoomed", { run: this.run, low, high, ...this.look }),
      show: ({ lines }) => this.parts?.charts.replace(lines),
      restore: () => this.again(),
    });
    this.root.dataset.view = "";
    this.poller = new Poller({
      ask: (current) => this.ask(current),
      every: () => (this.over ? OVER_MS : this.parts.charts.pause),
      tell: (error) => this.tell(error),
      place: placeOf(element),
      ends: isRefusal,
    });
    this.followAddress();
    this.show(props.value);
    watch("value", () => this.show(props.value));
    onTheme(() => this.recolour());
  }

  /* The run of the Train tab may be named by the page's address. */
  followAddress() {
    if (!this.root.closest("#qt-run")) return;
    const { tab, run } = placeNamed(window.location.search);
    if (tab === "train" && run) this.props.value = run;
    document.addEventListener("q-open", ({ detail }) => {
      if (detail.tab === "train" && detail.run) this.open(detail.run);
    });
  }

  /** Show this run; "" shows that there is none. */
  show(run) {
    const name = run || "";
    this.expecting = false;
    if (name !== this.run) {
      this.run = name;
      this.poller.stop();
      this.detail.forget();
      this.restart();
      this.parts = name ? new RunParts(name, this.means(name)) : null;
      this.root.replaceChildren(...(name ? this.parts.nodes : this.nothing()));
    }
    if (name) this.poller.now();
    else {
      this.root.removeAttribute("data-status");
      announce(this.root, { run: "", status: "", stopping: false, said: "" });
    }
  }

  /** A run was asked for, and will be shown as soon as there is one. */
  expect() {
    this.expecting = true;
    this.poller.stop();
    this.root.replaceChildren(runExpected());
  }

  /** It was refused: what was shown before is shown again. */
  expectNothing() {
    if (!this.expecting) return;
    const { run } = this;
    this.run = null;
    this.show(run);
  }

  stop() {
    return this.act("stop");
  }

  nothing() {
    return this.root.closest("#qr-opened") ? [] : [noRun()];
  }

  restart() {
    this.offset = 0; // bytes of the run's events that were read
    this.carry = {}; // what the server wants to be told again
    this.points = 0; // of the loss, that were received
    this.over = false;
    this.stale = null; // {axis}: what is drawn is replaced by the next answer
  }

  /** Draw all anew from the run's beginning. */
  again(axisChanged = false) {
    if (axisChanged) this.detail.forget();
    this.restart();
    this.stale = { axisChanged };
    this.poller.now();
  }

  async ask(current) {
    const { run, parts, offset, carry } = this;
    const answer = await this.api.call("poll", { run, offset, carry, ...this.look });
    if (!current()) return;
    this.say(answer, parts);
    if (!drawer()) {
      // Where the run stands is said at once; the curves follow when plotly.js is here.
      await plotly();
      if (!current()) return;
    }
    await this.draw(answer, parts);
    if (current()) await parts.log.refresh();
  }

  say(answer, parts) {
    if (answer.start) parts.known.start = answer.start;
    if (answer.epoch) parts.known.epoch = answer.epoch;
    if (answer.phase) parts.known.phase = answer.phase;
    this.over = isOver(answer);
    this.meta = answer.meta;
    this.root.dataset.status = answer.status;
    parts.head.update(answer, parts.known);
    parts.notes.take(answer.logs, answer.unsure);
    const { run, status, stopping } = answer;
    announce(this.root, { run, status, stopping, said: saidInBar(answer, parts.known) });
  }

  async draw(answer, parts) {
    const began = performance.now();
    if (answer.again || this.points > MOST_POINTS) {
      // A resumed run went back to its checkpoint, or there are too many points.
      this.again();
      return;
    }
    this.offset = answer.offset;
    this.carry = answer.carry;
    this.points += answer.lines.loss?.[0].length ?? 0;
    const { stale } = this;
    if (stale) parts.clear(stale.axisChanged);
    this.stale = null;
    await parts.charts.take(answer.lines, this.over);
    if (stale) this.detail.again();
    await parts.movement.take(answer.movements);
    await parts.rates.take(answer.trials, answer.end);
    parts.samples.take(answer.samples, this.over);
    if (answer.end || answer.start) parts.showOutcome(answer.end);
    this.count(parts.charts.main, performance.now() - began);
  }

  /* For tests and benchmarks: how often and for how long it was drawn, and how much is. */
  count(main, milliseconds) {
    const { dataset } = this.root;
    dataset.updates = Number(dataset.updates || 0) + 1;
    dataset.cost = milliseconds.toFixed(1);
    if (main.drawn) dataset.points = main.plot.data[0].x.length;
  }

  /* Why questions are not answered; null when they are again. */
  tell(error) {
    if (error?.kind !== "RunError") {
      this.parts.head.say(error ? messageOf(error) : "");
      return;
    }
    const gone = problemLine();
    write(gone, error.message);
    this.root.replaceChildren(gone);
  }

  /* What the parts of this run's view are made of. */
  means(run) {
    const say = (text) => this.parts.head.say(text);
    const trying = (work) => (given) => attempt(() => work(given), say);
    const act = (action) => () => this.act(action);
    const saveCsv = (told = say) => attempt(() => this.saveCsv(run), told);
    const actions = {
      stop: act("stop"),
      kill: act("kill"),
      resume: act("resume"),
      delete: act("delete"),
      retry: trying((changes) => this.openRetry(changes)),
      findRate: trying(() => this.findRate()),
      describe: () => this.openDescribe(),
      log: trying(() => this.parts.log.toggle()),
      showLog: trying(() => this.parts.log.toggle(true)),
      csv: () => saveCsv(),
    };
    return {
      actions,
      readLog: (size) => this.api.call("log", { run, size }),
      charts: {
        look: this.look,
        saveCsv,
        onlook: (axis) => this.again(axis),
        onzoom: (range) => this.points > FEW_POINTS && this.detail.to(range),
      },
    };
  }

  async act(action) {
    const { head } = this.parts;
    head.lock(true);
    const done = await attempt(
      () => this.api.call("act", { run: this.run, action }),
      (text) => head.say(text),
    );
    head.lock(false);
    if (!done) return;
    if (action === "delete") this.open("");
    else this.poller.now();
  }

  /* Show another run, and tell Python so. */
  open(run) {
    this.props.value = run;
    this.show(run);
  }

  closeForm() {
    this.parts.form.replaceChildren();
  }

  showForm(form) {
    this.parts.form.replaceChildren(form);
    form.querySelector("input, select").focus();
  }

  async openRetry(changes = {}) {
    const { run } = this;
    const { settings } = await this.api.call("settings", { run });
    const retry = async (changed) => {
      const asked = { run, action: "retry", changes: changed };
      this.open((await this.api.call("act", asked)).run);
    };
    this.showForm(retryForm(settings, changes, retry, () => this.closeForm()));
  }

  async findRate() {
    this.open((await this.api.call("act", { run: this.run, action: "find_rate" })).run);
  }

  openDescribe() {
    const describe = async (fields) => {
      await this.api.call("act", { run: this.run, action: "describe", ...fields });
      this.closeForm();
      this.poller.now();
    };
    this.showForm(describeForm(this.meta ?? {}, describe, () => this.closeForm()));
  }

  async saveCsv(run) {
    save(`${run}.csv`, (await this.api.call("csv", { run })).text, "text/csv");
  }

  recolour() {
    if (!drawer() || !this.parts) return;
    this.parts.charts.recolour();
    this.parts.movement.draw();
    this.parts.rates.draw();
  }
}

/** Mounts the view on a component of gradio's; its value is the run's name. */
export const mount = (component) => new RunView(component);
