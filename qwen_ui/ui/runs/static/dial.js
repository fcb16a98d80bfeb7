/* Turn it: a slider over what was measured at several strengths, and a button that measures. */
import { copyFrom } from "qwen/page/clipboard.js";
import { button, make, makeScroller, rowOf, tableOf, write } from "qwen/page/dom.js";
import { applyCommand, figures, firstIndex, nats, usable } from "./dial_data.js";
import { RunSection } from "./run_section.js";
import { changesSection } from "./token_changes.js";
import { blankPicture, paint } from "./dial_picture.js";

const WORKING_MS = 600;
const WAITING_MS = 3000; // for a run that is not over
const ABOUT =
  "W0 + s (W - W0): at 0 the base, at 1 what training left. Each point is measured, none is " +
  "guessed; nothing is trained.";

class Dial extends RunSection {
  constructor(component) {
    super(component, "qr-dial");
  }

  reset() {
    this.moved = false;
    this.hint = "";
  }

  wait() {
    if (this.state.going_on) return WORKING_MS;
    return this.state.delta || this.state.over ? null : WAITING_MS;
  }

  async ask(current) {
    const state = await this.api.call("look_at_dial", { run: this.run });
    if (!current()) return;
    this.state = state;
    if (!state.delta) {
      this.root.replaceChildren(this.wrong);
      return;
    }
    if (!this.built) this.build();
    this.refresh();
    await this.showChanges(state.record);
  }

  build() {
    this.built = true;
    this.limit = Object.assign(make("input"), { type: "number", min: 0, max: 1000, step: 0.05 });
    this.limit.placeholder = "any";
    const limit = make("label", "qr-field qr-dial-limit");
    limit.append(make("span", "", "Forgets at most (nats)"), this.limit);
    limit.hidden = !this.state.keep;
    const ticked = make("label", "qr-tick");
    this.byBlock = Object.assign(make("input"), { type: "checkbox" });
    ticked.append(this.byBlock, " Each block by itself, too");
    this.measure = button("Measure strengths", "", () => this.begin());
    const row = make("div", "qr-form-row qr-dial-ask");
    row.append(this.measure, limit, ticked);
    this.said = make("p", "qr-way-said");
    this.said.setAttribute("role", "status");
    this.result = make("div", "qr-dial-result");
    this.changes = make("div");
    this.changed = "";
    this.root.replaceChildren(
      make("h3", "qr-heading", "Turn it down, or up"),
      make("p", "q-hint", ABOUT),
      row,
      this.said,
      this.result,
      this.changes,
      this.wrong,
    );
  }

  /** Once for what was measured: it does not change while the slider does. */
  async showChanges(record) {
    const wanted = record.done ? `${this.run} ${record.seconds}` : "";
    if (wanted === this.changed) return;
    this.changed = wanted;
    const found = wanted ? await this.api.call("look_at_changes", { run: this.run }) : {};
    if (wanted !== this.changed) return;
    const section = changesSection(found);
    this.changes.replaceChildren(...(section ? [section] : []));
  }

  async begin() {
    const limit = this.limit.value === "" ? null : Number(this.limit.value);
    const asked = { run: this.run, max_forgetting: limit, by_block: this.byBlock.checked };
    const begun = await this.trying(() => this.api.call("measure_dial", asked));
    if (!begun) return;
    this.moved = false;
    this.poller.now();
  }

  refresh() {
    const { record, going_on: busy, failed, keep } = this.state;
    const points = usable(record.points || []);
    this.measure.disabled = busy;
    write(this.said, busy ? this.progress(points.length) : failed || this.verdict(record));
    this.said.classList.toggle("qr-bad", Boolean(failed));
    if (!points.length) {
      this.result.replaceChildren();
      return;
    }
    if (!keep && record.points.every(({ keep_loss: loss }) => loss === null)) {
      this.hint = "The run had no text to keep: what it forgets was not measured.";
    }
    this.points = points;
    if (!this.moved) this.index = firstIndex(points, record.suggested);
    this.index = Math.min(this.index, points.length - 1);
    this.draw();
  }

  progress(count) {
    if (!count) return "The model is being loaded; its base is measured first.";
    return `Measuring: ${count} ${count === 1 ? "strength" : "strengths"} so far.`;
  }

  verdict(record) {
    if (!record.points) return "";
    if (record.suggestion === null) {
      return record.max_forgetting === null
        ? "Too few samples to suggest a strength."
        : "No strength forgets so little.";
    }
    const blocks = record.by_block
      ? ` Block by block: ${record.by_block.strength}, which gains ` +
        `${nats(record.by_block.told.gain)} there.`
      : "";
    return record.suggestion.sentence + blocks;
  }

  draw() {
    const point = this.points[this.index];
    const slider = Object.assign(make("input", "qr-dial-slider"), {
      type: "range",
      min: 0,
      max: this.points.length - 1,
      step: 1,
      value: this.index,
    });
    slider.setAttribute("aria-label", "Strength");
    const shown = make("output", "qr-dial-strength");
    const list = make("dl", "qr-dial-figures");
    const sample = make("div", "qr-dial-sample");
    this.parts = { slider, shown, list, sample };
    slider.addEventListener("input", () => this.turn(Number(slider.value)));
    const left = make("div");
    left.append(shown, slider, list, this.taking());
    const right = make("div");
    this.plot = blankPicture();
    right.append(this.plot, sample);
    const grid = make("div", "qr-dial-grid");
    grid.append(left, right);
    const focused = this.result.contains(document.activeElement);
    this.result.replaceChildren(grid, this.table());
    if (this.hint) this.result.append(make("p", "q-hint", this.hint));
    this.tell(point);
    if (focused) slider.focus();
  }

  turn(index) {
    this.moved = true;
    this.index = index;
    this.tell(this.points[index]);
  }

  tell(point) {
    const { slider, shown, list, sample } = this.parts;
    write(shown, `Strength ${point.strength}`);
    slider.setAttribute("aria-valuetext", String(point.strength));
    list.replaceChildren(
      ...figures(point).flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]),
    );
    sample.replaceChildren();
    for (const { prompt, text } of point.samples) {
      const line = make("p", "notranslate");
      line.append(make("span", "qr-dial-prompt", prompt), ` ${text}`);
      sample.append(line);
    }
    paint(this.plot, this.points, point.strength);
    for (const row of this.rows)
      row.classList.toggle("qr-now-row", row.strength === point.strength);
  }

  taking() {
    const copy = button("Copy the command that applies it", "", () =>
      this.trying(() =>
        copyFrom(copy, applyCommand(this.run, this.state.model, this.points[this.index].strength)),
      ),
    );
    return copy;
  }

  table() {
    const keeps = this.points.some(({ keep_loss: loss }) => loss !== null);
    const names = keeps
      ? ["strength", "loss", "gain", "text to keep", "forgets", "KL"]
      : ["strength", "loss", "gain"];
    const keys = keeps
      ? ["eval_loss", "gain", "keep_loss", "forgetting", "kl"]
      : ["eval_loss", "gain"];
    this.rows = this.points.map((point, index) => {
      const turn = button(String(point.strength), "qr-dial-pick", () => {
        this.parts.slider.value = index;
        this.turn(index);
      });
      const first = make("td");
      first.append(turn);
      const row = rowOf(first, ...keys.map((key) => make("td", "qr-num", nats(point[key]))));
      row.strength = point.strength;
      return row;
    });
    const wrap = makeScroller("div", "qr-dial-table", "All strengths");
    wrap.append(
      tableOf(
        "",
        names.map((name) => make("th", "", name)),
        this.rows,
      ),
    );
    return wrap;
  }
}

/** Mounts the section on a component of gradio's; its value is the run's name. */
export const mount = (component) => new Dial(component);
