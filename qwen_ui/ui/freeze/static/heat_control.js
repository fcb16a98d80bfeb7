/* What the grid is shaded by: how many parameters a cell has, a statistic of the weights, or a rank
   score. Python measures apart and is asked again until it is done. */
import { isRefusal, messageOf } from "qwen/page/api.js";
import { make, write } from "qwen/page/dom.js";
import { placeOf, Poller } from "qwen/page/poller.js";
import { endOfScale } from "qwen/page/scale.js";
import { Heat } from "./heat.js";

const ASK_AGAIN_MS = 500;
const COUNT = "count"; // the one heat that needs no measuring

export class HeatControl {
  constructor(tab) {
    this.tab = tab;
    this.select = tab.find(".qs-heat");
    this.line = tab.find(".qs-heatline");
    this.said = this.line.querySelector(".qs-heat-said");
    this.progress = this.line.querySelector(".qs-heat-progress");
    this.top = this.line.querySelector(".qs-top");
    this.scored = this.line.querySelector(".qs-scored");
    this.structure = null;
    this.found = new Map(); // heats measured so far, by name
    this.working = false;
    this.poller = new Poller({
      ask: (current) => this.measure(current),
      every: () => (this.working ? ASK_AGAIN_MS : null),
      tell: (error) => error && this.complain(messageOf(error)),
      ends: isRefusal,
      place: placeOf(tab.root),
    });
    this.select.addEventListener("change", () => this.choose());
    this.line.addEventListener("click", (event) => {
      if (event.target.dataset.heat === "take") this.takeTop();
    });
    this.top.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.takeTop();
    });
  }

  /** Called whenever Python has confirmed a plan: another model has other heats. */
  follow() {
    if (this.structure === this.tab.structure) return;
    this.structure = this.tab.structure;
    this.found.clear();
    this.list();
  }

  async list() {
    const { structure } = this;
    let groups = [];
    let problem = "";
    try {
      ({ groups } = await this.tab.ask("list_heats"));
    } catch (error) {
      problem = messageOf(error);
    }
    if (structure !== this.structure) return;
    this.showGroups(groups);
    this.choose();
    if (problem) this.complain(problem);
  }

  showGroups(groups) {
    const chosen = this.select.value;
    for (const group of this.select.querySelectorAll("optgroup")) group.remove();
    for (const { label, heats, problem } of groups) {
      const group = make("optgroup");
      group.label = problem ? `${label}: ${problem}` : label;
      group.disabled = Boolean(problem);
      for (const [name, text, hint] of heats) {
        group.append(Object.assign(new Option(text, name), { title: hint }));
      }
      this.select.append(group);
    }
    const offered = (option) => option.value === chosen && !option.parentElement.disabled;
    this.select.value = [...this.select.options].some(offered) ? chosen : "";
  }

  choose() {
    const name = this.select.value;
    const { structure } = this;
    this.poller.stop();
    if (!structure) return;
    this.show(null, "", []);
    if (!name) return;
    if (name === COUNT) {
      const counts = { values: structure.numel, blocks: null };
      this.show(new Heat(structure, "parameters", counts, true), "parameters of the cell", []);
    } else if (this.found.has(name)) this.showFound(name);
    else this.poller.now();
  }

  get label() {
    return this.select.selectedOptions[0].text;
  }

  /** Asks once; what was measured is shown, else how far it is. */
  async measure(current) {
    const name = this.select.value;
    const answer = await this.tab.ask("measure_heat", { name });
    if (!current()) return;
    this.working = Boolean(answer.working);
    if (this.working) this.showProgress(answer.working);
    else {
      this.found.set(name, answer);
      this.showFound(name);
    }
  }

  showProgress({ done, total, seconds }) {
    this.line.hidden = this.progress.hidden = false;
    if (total) this.progress.value = done / total;
    else this.progress.removeAttribute("value");
    const part = total ? `${Math.floor((100 * done) / total)} %, ` : "";
    this.say(`Measuring ${this.label}: ${part}${seconds} s`);
  }

  showFound(name) {
    const answer = this.found.get(name);
    this.show(new Heat(this.structure, this.label, answer), answer.said, answer.order);
  }

  /** `order`: the blocks from the highest score down, where there are scores of blocks. */
  show(heat, text, order) {
    const { grid } = this.tab;
    grid.heat = heat;
    grid.root.classList.toggle("qs-heated", Boolean(heat?.values));
    grid.root.classList.toggle("qs-ranked", Boolean(heat?.blocks));
    this.line.hidden = !heat;
    this.line.querySelector(".qs-take").hidden = !order.length;
    this.say(text);
    this.progress.hidden = true;
    const ramps = [];
    if (heat?.blocks) ramps.push(this.ramp("blocks", heat.rows, "qs-ramp-blocks"));
    if (heat?.values) ramps.push(this.ramp("cells", heat.cells, "qs-ramp-cells"));
    this.line.querySelector(".qs-ramps").replaceChildren(...ramps);
    grid.redraw();
  }

  ramp(what, scale, className) {
    const ramp = make("span", `qs-ramp ${className}`);
    const { low, high, below, above } = scale;
    const say = (text) => make("span", "", text);
    if (scale.empty) ramp.append(say(`${what}: none has a value`));
    else if (low === high && !below && !above) ramp.append(say(`${what}: all ${endOfScale(low)}`));
    else {
      const end = `${above ? "≥ " : ""}${endOfScale(high)}${scale.log ? " (log)" : ""}`;
      ramp.append(say(`${what} ${below ? "≤ " : ""}${endOfScale(low)}`), make("i"), say(end));
    }
    return ramp;
  }

  say(text, wrong = false) {
    if (text) this.line.hidden = false;
    write(this.said, text);
    this.said.title = text;
    this.said.classList.toggle("qs-problem", wrong);
  }

  complain(text) {
    this.progress.hidden = true;
    this.say(text, true);
  }

  /** The kinds that train now, on the blocks with the highest scores. */
  takeTop() {
    const { selection } = this.tab;
    this.tab.takePlan("take_top", {
      ranges: selection.ranges(),
      plan_name: selection.name,
      heat: this.select.value,
      count: this.top.value,
      scored: this.scored.value,
    });
  }
}
