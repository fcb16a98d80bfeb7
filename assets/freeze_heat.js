/* The heat of the selector: cells by their size, a statistic of the weights or a rank score, row
   heads by the score of the block. Python measures apart and is asked again until it is done. */
(() => {
  "use strict";
  const { make, write, short } = window.QwenSelector;
  const ASK_AGAIN = 500;
  const LOG_FROM = 5; // a wider span than this is shown on a logarithmic scale
  const TAIL = 0.02; // of the cells on either side do not stretch the scale

  const precise = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
  const said = (value) => {
    const size = Math.abs(value);
    if (size >= 1e5) return short(value);
    return size && size < 1e-3 ? value.toExponential(1) : precise.format(value);
  };

  /* From a value to its place between the least and the greatest, 0 to 1. A few cells far from all
     others would leave these no shades: what lies beyond a tail of them takes the ends' shades. */
  class Scale {
    constructor(values) {
      const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
      const skip = Math.floor(TAIL * sorted.length), last = sorted.length - 1;
      this.empty = !sorted.length;
      this.low = sorted[skip];
      this.high = sorted[last - skip];
      this.below = sorted[0] < this.low;
      this.above = sorted[last] > this.high;
      this.log = this.low > 0 && this.high / this.low >= LOG_FROM;
    }
    share(value) {
      if (this.empty || !Number.isFinite(value)) return NaN;
      if (this.high === this.low) return value === this.low ? 0.5 : Number(value > this.low);
      const place = this.log ? Math.log(Math.max(value, 0) / this.low) / Math.log(this.high / this.low)
        : (value - this.low) / (this.high - this.low);
      return Math.max(0, Math.min(1, place));
    }
  }

  /* What grid and legend ask. A cell of several tensors (experts) has their mean, of counts the sum. */
  class Heat {
    constructor(structure, label, { values, blocks }, adds) {
      this.label = label;
      this.adds = adds;
      this.values = values && Float64Array.from(values, (value) => (value === null ? NaN : value));
      this.blocks = blocks && Float64Array.from(blocks, (value) => (value === null ? NaN : value));
      const cells = this.values ? structure.cells.flat().map((tensors) => this.valueOf(tensors)) : [];
      this.cells = new Scale(cells);
      this.rows = new Scale(this.blocks ? [...this.blocks] : []);
    }
    valueOf(tensors) {
      let sum = 0, count = 0;
      for (const t of tensors) if (!Number.isNaN(this.values[t])) { sum += this.values[t]; count += 1; }
      return count ? (this.adds ? sum : sum / count) : NaN;
    }
    cellOf(tensors) { return this.values ? this.cells.share(this.valueOf(tensors)) : NaN; }
    blockOf(block) { return this.blocks ? this.rows.share(this.blocks[block]) : NaN; }
    sayCell(tensors) {
      if (!this.values || this.adds) return "";
      const value = this.valueOf(tensors);
      const mean = tensors.length > 1 ? "mean " : "";
      return `\n${mean}${this.label}: ${Number.isNaN(value) ? "none" : value.toPrecision(6)}`;
    }
    sayBlock(block) {
      if (!this.blocks) return "";
      const value = this.blocks[block];
      return `\n${this.label}: ${Number.isNaN(value) ? "none" : value.toPrecision(6)}`;
    }
  }

  class HeatControl {
    constructor(tab) {
      this.tab = tab;
      this.select = tab.root.querySelector(".qs-heat");
      this.line = tab.root.querySelector(".qs-heatline");
      this.structure = null;
      this.found = new Map();
      this.select.addEventListener("change", () => this.choose());
      this.line.addEventListener("click", (event) => {
        if (event.target.dataset.heat === "take") this.take();
      });
      this.line.querySelector(".qs-top").addEventListener("keydown", (event) => {
        if (event.key === "Enter") this.take();
      });
    }
    /* Called whenever Python has confirmed a plan: another model has other heats. */
    follow() {
      if (this.structure === this.tab.structure) return;
      this.structure = this.tab.structure;
      this.found.clear();
      this.list();
    }
    async list() {
      const structure = this.structure;
      const { groups } = await this.tab.ask("list_heats");
      if (structure !== this.structure) return;
      const chosen = this.select.value;
      for (const group of [...this.select.querySelectorAll("optgroup")]) group.remove();
      for (const { label, heats, problem } of groups || []) {
        const group = make("optgroup");
        group.label = problem ? `${label}: ${problem}` : label;
        group.disabled = Boolean(problem);
        for (const [name, text, hint] of heats) {
          const option = new Option(text, name);
          option.title = hint;
          group.append(option);
        }
        this.select.append(group);
      }
      const still = [...this.select.options].some((option) =>
        option.value === chosen && !option.parentElement.disabled);
      this.select.value = still ? chosen : "";
      this.choose();
    }
    async choose() {
      const name = this.select.value, structure = this.structure;
      const current = () => this.select.value === name && this.structure === structure;
      if (!structure) return;
      this.show(null, "", []);
      if (!name) return;
      if (name === "count") {
        const counts = { values: structure.numel, blocks: null };
        this.show(new Heat(structure, "parameters", counts, true), "parameters of the cell", []);
        return;
      }
      if (!this.found.has(name)) {
        const answer = await this.measured(name, current);
        if (!answer || !current()) return;
        this.found.set(name, answer);
      }
      const answer = this.found.get(name), label = this.select.selectedOptions[0].text;
      this.show(new Heat(structure, label, answer, false), answer.said, answer.order);
    }
    /* Asks until there is an answer; null where it is not wanted any more or cannot be had. */
    async measured(name, current) {
      const progress = this.line.querySelector(".qs-heat-progress");
      const label = this.select.selectedOptions[0].text;
      let answer = {};
      while (current()) {
        answer = await this.tab.ask("measure_heat", name);
        if (!current()) return null;
        if (answer.problem) { progress.hidden = true; this.say(answer.problem, true); return null; }
        if (!answer.working) break;
        const { done, total, seconds } = answer.working;
        this.line.hidden = progress.hidden = false;
        if (total) progress.value = done / total; else progress.removeAttribute("value");
        const part = total ? `${Math.floor((100 * done) / total)} %, ` : "";
        this.say(`Measuring ${label}: ${part}${seconds} s`);
        await new Promise((done) => setTimeout(done, ASK_AGAIN));
      }
      progress.hidden = true;
      return current() ? answer : null;
    }
    show(heat, text, order) {
      const { grid } = this.tab;
      grid.heat = heat;
      grid.root.classList.toggle("qs-heated", Boolean(heat && heat.values));
      grid.root.classList.toggle("qs-ranked", Boolean(heat && heat.blocks));
      this.line.hidden = !heat;
      this.line.querySelector(".qs-heat-progress").hidden = true;
      this.line.querySelector(".qs-take").hidden = !order.length;
      this.say(text);
      const ramps = [];
      if (heat && heat.blocks) ramps.push(this.ramp("blocks", heat.rows, "qs-ramp-blocks"));
      if (heat && heat.values) ramps.push(this.ramp("cells", heat.cells, "qs-ramp-cells"));
      this.line.querySelector(".qs-ramps").replaceChildren(...ramps);
      grid.redraw();
    }
    ramp(what, scale, className) {
      const ramp = make("span", `qs-ramp ${className}`);
      if (scale.empty) { ramp.append(make("span", "", `${what}: none has a value`)); return ramp; }
      if (scale.low === scale.high && !scale.below && !scale.above) {
        ramp.append(make("span", "", `${what}: all ${said(scale.low)}`));
        return ramp;
      }
      ramp.append(make("span", "", `${what} ${scale.below ? "≤ " : ""}${said(scale.low)}`), make("i"),
        make("span", "", `${scale.above ? "≥ " : ""}${said(scale.high)}${scale.log ? " (log)" : ""}`));
      return ramp;
    }
    say(text, wrong) {
      const node = this.line.querySelector(".qs-heat-said");
      if (text) this.line.hidden = false;
      write(node, text);
      node.title = text;
      node.classList.toggle("qs-problem", Boolean(wrong));
    }
    async take() {
      const { tab } = this, count = this.line.querySelector(".qs-top").value;
      tab.take(await tab.ask("take_top", tab.choice.ranges(), tab.choice.name, this.select.value, count));
    }
  }

  window.QwenFreeze.parts.push(HeatControl);
})();
