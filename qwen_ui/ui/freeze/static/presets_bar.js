/* Presets, the layers that they are for, and a regular expression over the tensors' names. */
import { messageOf } from "qwen/page/api.js";
import { exact } from "qwen/page/format.js";
import { readRanges } from "./ranges.js";
import { checkOne } from "./radio.js";

const MATCH_MS = 120;

/* What a mode makes of a state and of whether the preset or match takes the tensor. */
const MODES = {
  replace: (state, found) => found,
  add: (state, found) => state | found,
  remove: (state, found) => state & ~found,
};

export class PresetsBar {
  constructor(tab) {
    this.tab = tab;
    this.mode = "replace";
    this.queue = Promise.resolve(); // presets are taken one after the other
    this.wanted = ""; // a preset clicked before the model was read
    this.matched = null; // {ranges, tensors, parameters}
    this.bar = tab.find(".qs-choose");
    this.layers = tab.find(".qs-layers");
    this.pattern = tab.find(".qs-regex");
    this.useButton = tab.find(".qs-use");
    this.bar.addEventListener("click", (event) => this.onClick(event));
    this.layers.addEventListener("change", () => this.changeLayers());
    this.layers.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.changeLayers();
    });
    this.pattern.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.lookForMatches(), MATCH_MS);
    });
    this.pattern.addEventListener("keydown", (event) => this.onPatternKey(event));
  }

  onClick(event) {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.preset) this.takePreset(button.dataset.preset);
    else if (button.dataset.mode) {
      this.mode = button.dataset.mode;
      checkOne(button);
    } else if (button === this.useButton) this.useMatches();
  }

  onPatternKey(event) {
    if (event.key === "Enter") this.useMatches();
    if (event.key !== "Escape") return;
    this.pattern.value = "";
    this.lookForMatches();
  }

  /** Another model was read. */
  follow() {
    this.lookForMatches();
    if (this.wanted) this.takePreset(this.wanted);
    this.wanted = "";
  }

  /** Which preset the selection is. */
  show() {
    const { name } = this.tab.selection;
    for (const button of this.bar.querySelectorAll("[data-preset]")) {
      const pressed = name !== "" && button.dataset.preset === name.split(" on ")[0];
      button.setAttribute("aria-pressed", pressed);
      // What the preset takes where nothing is typed.
      if (pressed) this.layers.placeholder = button.dataset.layers;
    }
  }

  /** What is ticked after the click, while Python answers, stands. */
  takePreset(name) {
    const { selection } = this.tab;
    if (!selection) {
      this.wanted = name;
      return;
    }
    const edits = selection.watch();
    const asked = selection.history.past.length;
    const { mode } = this;
    const layers = this.layers.value;
    const take = async () => {
      const answer = await this.tab
        .ask("choose_preset", { name, layers })
        .finally(() => selection.unwatch(edits));
      if (selection === this.tab.selection) this.use(answer, mode, { edits, asked });
    };
    this.queue = this.queue.then(() => this.tab.attempt(take));
  }

  useMatches() {
    if (this.matched) this.use({ ranges: this.matched.ranges, name: "" }, this.mode);
  }

  /** `meanwhile`: the edits made since the request, and how many steps could be undone then. */
  use({ ranges, name }, mode, meanwhile = { edits: new Map(), asked: 0 }) {
    const { selection, structure } = this.tab;
    const { edits, asked } = meanwhile;
    const found = readRanges(ranges, structure.length);
    const apply = (states) => found.map((on, t) => MODES[mode](states[t], on));
    const plan = mode === "replace" ? name : "";
    const states = apply(selection.states);
    for (const [t, value] of edits) states[t] = value;
    const changed = selection.replace(states, edits.size ? "" : plan);
    if (changed && edits.size) selection.history.moveLastTo(asked, apply, plan);
  }

  /** The preset in force follows the layers; without one the expression waits for the next. */
  changeLayers() {
    const { structure } = this.tab;
    if (!structure) return Promise.resolve();
    return this.tab.attempt(async () => {
      const { blocks } = await this.tab.ask("count_layers", { layers: this.layers.value });
      const many = `${exact(blocks)} of ${exact(structure.blocks)} blocks: for the presets`;
      this.tab.say(blocks === null ? "" : many);
      const active = this.bar.querySelector("[data-preset][aria-pressed=true]");
      if (active && this.mode === "replace") this.takePreset(active.dataset.preset);
    });
  }

  async lookForMatches() {
    const pattern = this.pattern.value;
    let answer = null;
    let problem = "";
    this.matched = null;
    this.useButton.disabled = true;
    try {
      if (pattern && this.tab.selection) answer = await this.tab.ask("match", { pattern });
    } catch (error) {
      problem = messageOf(error);
    }
    if (pattern === this.pattern.value) this.showMatches(answer, problem); // else typed on
  }

  showMatches(answer, problem) {
    const found = answer
      ? `${exact(answer.tensors)} tensors match, ${exact(answer.parameters)} parameters`
      : "";
    this.tab.say(problem || found, problem !== "");
    this.pattern.setAttribute("aria-invalid", problem !== "");
    this.matched = answer?.tensors ? answer : null;
    this.useButton.disabled = !this.matched;
    const { grid, structure } = this.tab;
    grid.marked = this.matched ? readRanges(this.matched.ranges, structure.length) : null;
    grid.redraw();
  }
}
