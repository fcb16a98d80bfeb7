/* Below the selector: the price of a step and the exports. Both follow the plan that Python has
   confirmed. One question at a time: while one is under way the newest waits, older ones are
   dropped. */
(() => {
  "use strict";
  const { make, write, number } = window.QwenSelector;
  const PRICE_AFTER = 60;
  const WAYS_AFTER = 500;
  const FIT_AFTER = 1500;

  /* Calls `work` for the newest request alone, never twice at once. */
  class Newest {
    constructor(delay, work) { Object.assign(this, { delay, work, busy: false, asked: 0 }); }
    ask() {
      this.asked += 1;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.run(), this.delay);
    }
    drop() { this.asked += 1; clearTimeout(this.timer); }
    async run() {
      if (this.busy) return; // asks again when it is done
      this.busy = true;
      const asked = this.asked;
      try { await this.work(() => asked === this.asked); } catch (error) { console.error(error); }
      this.busy = false;
      if (asked !== this.asked && this.again) this.ask();
    }
  }

  class PricePanel {
    constructor(tab) {
      this.tab = tab;
      this.root = tab.root.querySelector(".qf-price");
      this.prices = new Newest(PRICE_AFTER, (current) => this.price(current));
      this.fits = new Newest(FIT_AFTER, (current) => this.fit(current));
      this.ways = new Newest(WAYS_AFTER, (current) => this.priceWays(current));
      this.prices.again = this.fits.again = this.ways.again = true;
      this.root.addEventListener("input", () => this.follow());
    }
    follow() {
      if (!this.tab.choice) return;
      if (this.structure !== this.tab.structure) { // no figures of another model
        this.structure = this.tab.structure;
        write(this.root.querySelector(".qf-sentence"), "Tracing a step …");
        this.root.querySelector("tbody").replaceChildren();
        this.showWays([]);
        this.showFit("–", "–", "");
      }
      this.root.classList.add("qf-waits");
      this.root.querySelector(".qf-ways").classList.add("qf-old");
      const worker = this.root.querySelector("[data-setting=worker]").checked;
      for (const name of ["optimizer", "checkpointing", "keep_prefix", "masters"]) {
        this.root.querySelector(`[data-setting=${name}]`).disabled = worker; // the worker's to say
      }
      this.fits.drop();
      this.ways.drop();
      this.prices.ask();
    }
    settings() {
      const asked = {};
      for (const input of this.root.querySelectorAll("[data-setting]")) {
        asked[input.dataset.setting] = input.type === "checkbox" ? input.checked : input.value;
      }
      return asked;
    }
    async price(current) {
      const answer = await this.tab.ask("price_step", this.tab.choice.ranges(), this.settings());
      if (!current()) return;
      this.root.classList.remove("qf-waits");
      const sentence = this.root.querySelector(".qf-sentence");
      write(sentence, answer.problem || answer.sentence);
      sentence.classList.toggle("qs-problem", Boolean(answer.problem));
      this.showFit("–", "–", "");
      const body = this.root.querySelector("tbody");
      if (answer.problem) this.showWays([]);
      body.replaceChildren(...(answer.rows || []).map((row) => this.line(row)));
      if (answer.problem) return;
      this.showFit("…", "…", "");
      this.ways.ask();
      this.fits.ask();
    }
    async priceWays(current) {
      const { ways } = await this.tab.ask("price_ways", this.tab.choice.ranges(), this.settings());
      if (current()) this.showWays(ways || []);
    }
    showWays(ways) {
      this.root.querySelector(".qf-ways").classList.remove("qf-old");
      const share = (ratio) => window.QwenFreeze.percent(ratio, 1);
      this.root.querySelector(".qf-ways tbody").replaceChildren(...ways.map((way) => {
        const line = make("tr"), head = make("th", "", way.label);
        head.scope = "row";
        line.append(head, make("td", "", way.step), make("td", "", share(way.step_ratio)),
          make("td", "", way.peak), make("td", "", share(way.peak_ratio)));
        return line;
      }));
    }
    line({ label, plan, full, exact, ratio }) {
      const line = make("tr");
      line.title = exact;
      const head = make("th", "", label);
      head.scope = "row";
      const bar = make("td", "qf-ratio-bar"), meter = make("div", "qs-meter");
      meter.append(make("i"));
      meter.style.setProperty("--all", ratio === null ? "0%" : "100%");
      meter.style.setProperty("--part", `${Math.min(100, 100 * (ratio || 0)).toFixed(2)}%`);
      bar.append(meter);
      const share = ratio === null ? "–" : window.QwenFreeze.percent(ratio, 1);
      line.append(head, make("td", "", plan), make("td", "qf-full", full), bar, make("td", "", share));
      return line;
    }
    async fit(current) {
      const memory = this.root.querySelector(".qf-memory").value;
      const answer = await this.tab.ask("fit_batch", this.tab.choice.ranges(), this.settings(), memory);
      if (!current()) return;
      if (answer.problem) { this.showFit("–", "–", answer.problem); return; }
      this.showFit(this.sequences(answer.plan), this.sequences(answer.full),
        `in ${answer.memory}, ${answer.where}`);
    }
    sequences(count) { return count ? number.format(count) : "none fits"; }
    showFit(plan, full, where) {
      write(this.root.querySelector(".qf-fit-plan"), plan);
      write(this.root.querySelector(".qf-fit-full"), full);
      write(this.root.querySelector(".qf-fit-where"), where);
    }
  }

  class ExportPanel {
    constructor(tab) {
      this.tab = tab;
      this.root = tab.root.querySelector(".qf-export");
      this.format = this.root.querySelector(".qf-format");
      this.exports = new Newest(PRICE_AFTER, (current) => this.write(current));
      this.exports.again = true;
      this.format.addEventListener("change", () => this.follow());
      this.root.querySelector(".qf-copy").addEventListener("click", (event) =>
        tab.copy(event.currentTarget, this.text || ""));
      this.root.querySelector(".qf-save").addEventListener("click", () => {
        if (this.text) tab.saveFile(this.file, this.text);
      });
    }
    follow() { if (this.tab.choice) this.exports.ask(); }
    async write(current) {
      if (!this.format.options.length) {
        const { formats } = await this.tab.ask("list_formats");
        this.format.replaceChildren(...formats.map(([name, title]) => new Option(title, name)));
        this.format.value = "pytorch";
      }
      const answer = await this.tab.ask("export_plan", this.tab.choice.ranges(), this.format.value);
      if (!current()) return;
      this.text = answer.problem ? "" : answer.text;
      this.file = answer.file;
      const code = this.root.querySelector("code");
      write(code, answer.problem || answer.text);
      code.classList.toggle("qs-problem", Boolean(answer.problem));
    }
  }

  window.QwenFreeze.parts.push(PricePanel, ExportPanel);
})();
