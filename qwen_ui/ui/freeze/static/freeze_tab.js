/* The Freeze tab: one selection, and the parts that show and change it. Counts and bars are drawn
   here at once; a moment after the last edit Python is told, and answers with the plan's notes. */
import { Api, attempt, isRefusal, messageOf } from "qwen/page/api.js";
import { write } from "qwen/page/dom.js";
import { EVERYWHERE, Poller } from "qwen/page/poller.js";
import { tellEdit } from "./edits.js";
import { ExportPanel } from "./export_panel.js";
import { GridView } from "./grid_view.js";
import { HeatControl } from "./heat_control.js";
import { MoreOptions } from "./more_options.js";
import { PastedPanel } from "./pasted_panel.js";
import { PlanActions } from "./plan_actions.js";
import { PresetsBar } from "./presets_bar.js";
import { PricePanel } from "./price_panel.js";
import { readRanges } from "./ranges.js";
import { Selection } from "./selection.js";
import { Structure } from "./structure.js";
import { TensorTreeView } from "./tensor_tree_view.js";
import { Totals } from "./totals.js";
import { ViewTools } from "./view_tools.js";

const TELL_MS = 150;

class FreezeTab {
  constructor({ element, props, server, watch }) {
    this.props = props;
    this.api = new Api(server);
    this.root = element.querySelector(".qs");
    this.find = (selector) => this.root.querySelector(selector);
    this.source = ""; // as the model was named: a folder has more than one spelling
    this.structure = null;
    this.selection = null;
    this.told = null; // what Python said last, see `value_for` (tab.py)
    this.loading = ""; // the model that is being read
    this.edit = 0; // the number of the last edit
    this.grid = new GridView(this.find(".qs-grid"));
    this.tree = new TensorTreeView(this.find(".qs-tree"));
    this.totals = new Totals(this);
    this.presets = new PresetsBar(this);
    this.tools = new ViewTools(this);
    this.options = new MoreOptions(this); // after those whose choices it tells of
    this.actions = new PlanActions(this);
    this.panels = [new HeatControl(this), new PricePanel(this)];
    this.panels.push(new ExportPanel(this), new PastedPanel(this));
    this.loader = new Poller({
      ask: (current) => this.load(current),
      every: () => null, // once it was answered
      tell: (error) => error && this.onLoadError(error),
      ends: isRefusal,
      place: EVERYWHERE,
    });
    watch("value", () => this.onValue());
    this.onValue(); // the value may have come before this module
  }

  /** Asks Python about the model that is shown. Throws ApiError. */
  ask(action, argument = {}) {
    return this.api.call(action, { source: this.source, ...argument });
  }

  /** Does what a person asked for; what goes wrong is said under the presets. */
  attempt(work) {
    return attempt(work, (text) => this.complain(text));
  }

  say(text, wrong = false) {
    const line = this.find(".qs-said");
    write(line, text);
    line.classList.toggle("qs-problem", wrong);
  }

  /** Says what is wrong; with "" takes away what was wrong before, and nothing else. */
  complain(text) {
    const wrong = this.find(".qs-said").classList.contains("qs-problem");
    if (text || wrong) this.say(text, text !== "");
  }

  /* ---- to and from Python ---- */

  onValue() {
    if (!this.props.value) return;
    this.told = JSON.parse(this.props.value);
    const { source, edit } = this.told;
    if (source !== this.source) {
      if (this.loading !== source) this.loader.now();
      return;
    }
    this.loader.stop();
    this.loading = "";
    if (edit === null || edit >= this.edit) this.adopt(true);
  }

  /** Reads the model that Python named. What Python says of its plan meanwhile is taken over too. */
  async load(current) {
    const { source } = this.told;
    this.loading = source;
    const record = await this.api.call("structure", { source });
    if (!current()) return;
    this.loading = "";
    this.showModel(source, new Structure(record));
  }

  onLoadError(error) {
    if (isRefusal(error)) this.loading = "";
    this.say(messageOf(error), true);
  }

  showModel(source, structure) {
    clearTimeout(this.tellTimer);
    this.source = source;
    this.structure = structure;
    this.selection = new Selection(structure, (done) => this.onChange(done));
    this.edit = 0;
    this.adopt(false);
    this.grid.show(this.selection);
    this.tree.showSelection(this.selection);
    this.say("");
    this.root.dataset.source = source;
    this.presets.follow();
    this.actions.follow();
  }

  /** Takes over what Python said. `remember`: whether undo can go back to what was there. */
  adopt(remember) {
    const states = readRanges(this.told.ranges, this.structure.length);
    const same = states.every((state, t) => state === this.selection.states[t]);
    if (!same || !remember) {
      this.selection.adopt(states, this.told.name, remember);
      this.redraw();
    }
    this.totals.showNotes(this.told);
    for (const panel of this.panels) panel.follow();
  }

  onChange(done) {
    this.edit += 1;
    clearTimeout(this.tellTimer);
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.redraw();
    });
    if (done) this.tellTimer = setTimeout(() => this.tell(), TELL_MS);
  }

  tell() {
    const { edit, source, selection } = this;
    tellEdit({ edit, source, ranges: selection.ranges(), name: selection.name });
  }

  /** A plan from elsewhere (a file, a kept one) replaces the selection; a refused one changes
      nothing. */
  takePlan(action, argument) {
    const { selection } = this;
    return this.attempt(async () => {
      const { ranges, name, unmatched } = await this.ask(action, argument);
      if (selection !== this.selection) return; // another model by now
      selection.replace(readRanges(ranges, this.structure.length), name);
      // Said here: the plan made of the ticks names nothing that does not exist.
      this.say(unmatched.join(" "));
    });
  }

  redraw() {
    if (!this.selection) return;
    for (const part of [this.grid, this.tree]) part.redraw();
    for (const part of [this.totals, this.tools, this.presets]) part.show();
  }
}

export const mount = (component) => new FreezeTab(component);
