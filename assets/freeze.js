/* The Freeze tab around the selector: presets, what the plan trains, its files. Counts and bars are
   drawn here at once; 150 ms after the last edit Python is told, and answers with the notes. */
(() => {
  "use strict";
  const { Structure, Choice, GridView, TreeView, make, write, number, short, extent } = window.QwenSelector;
  const TELL_AFTER = 150;
  const MATCH_AFTER = 120;
  const MAX_FILE = 16 * 1024 * 1024;

  const percent = (part, all) => {
    const value = all ? (100 * part) / all : 0;
    if (value === 0 || value === 100) return `${value} %`;
    if (value >= 99.995) return "over 99.99 %";
    return `${value >= 0.1 ? value.toFixed(2) : Number(value.toPrecision(2))} %`;
  };
  const choose = (group, button, attribute) => {
    for (const one of group.querySelectorAll("button")) one.setAttribute(attribute, one === button);
  };
  class FreezeTab {
    constructor({ element, props, server, watch }) {
      Object.assign(this, { props, server });
      this.find = (selector) => element.querySelector(selector);
      this.root = this.find(".qs");
      this.edit = 0;
      this.scale = "linear";
      this.mode = "replace";
      this.followers = [];
      this.grid = new GridView(this.find(".qs-grid"));
      this.tree = new TreeView(this.find(".qs-tree"));
      this.wirePresets();
      this.wireTools();
      this.wireActions();
      for (const Part of window.QwenFreeze.parts) this.followers.push(new Part(this));
      watch("value", () => this.onValue());
      this.onValue();
    }

    /* ---- to and from Python ---- */
    onValue() {
      if (!this.props.value) return;
      const told = JSON.parse(this.props.value);
      if (!this.structure || told.source !== this.source) this.load(told);
      else if (told.edit === null || told.edit >= this.edit) this.adopt(told, true);
    }
    async ask(action, ...asked) {
      return await this.server[action]([this.source || "", ...asked]);
    }
    async load(told) {
      if (this.loading === told.source) { this.waiting = told; return; }
      this.loading = told.source;
      this.waiting = told;
      const record = await this.server.structure([told.source]);
      if (this.loading !== told.source) return; // another model was picked meanwhile
      this.loading = "";
      if (record.problem) { this.say(record.problem, true); return; }
      this.source = told.source; // as it was named: a folder has more than one spelling
      this.structure = new Structure(record);
      this.choice = new Choice(this.structure, (done) => this.onChange(done));
      clearTimeout(this.tellTimer);
      this.edit = 0;
      this.adopt(this.waiting, false);
      this.grid.show(this.choice);
      this.tree.show(this.choice);
      this.say("");
      this.lookForMatches();
      this.listKept();
      this.root.dataset.source = told.source;
      if (this.wanted) this.usePreset(this.wanted); // clicked before the model was read
      this.wanted = "";
    }
    adopt(told, remember) {
      const states = Choice.read(told.ranges, this.structure.length);
      const same = states.every((state, t) => state === this.choice.states[t]);
      if (!same || !remember) {
        this.choice.adopt(states, told.name || "", remember);
        this.redraw();
      }
      this.showNotes(told);
      this.follow();
    }
    onChange(done) {
      this.edit += 1;
      clearTimeout(this.tellTimer);
      if (!this.frame) {
        this.frame = requestAnimationFrame(() => { this.frame = 0; this.redraw(); });
      }
      if (done) this.tellTimer = setTimeout(() => this.tell(), TELL_AFTER);
    }
    tell() {
      window.QwenFreeze.tell({ edit: this.edit, source: this.source,
        ranges: this.choice.ranges(), name: this.choice.name });
    }
    follow() { for (const part of this.followers) part.follow(); }

    /* ---- what is drawn at once ---- */
    redraw() {
      if (!this.choice) return;
      this.grid.redraw();
      this.tree.redraw();
      this.showTotals();
      this.showTable();
      this.find("[data-do=undo]").disabled = !this.choice.past.length;
      this.find("[data-do=redo]").disabled = !this.choice.future.length;
      for (const button of this.root.querySelectorAll("[data-preset]")) {
        const pressed = this.choice.name !== "" && button.dataset.preset === this.choice.name.split(" on ")[0];
        button.setAttribute("aria-pressed", pressed);
      }
    }
    showTotals() {
      const { trained, tensors, states } = this.choice;
      const { total, length, rows, blocks } = this.structure;
      write(this.find(".qs-trainable"), number.format(trained));
      write(this.find(".qs-of"), `of ${number.format(total)} parameters train`);
      write(this.find(".qs-share"), percent(trained, total));
      write(this.find(".qs-tensors"), `${number.format(tensors)} of ${number.format(length)}`);
      write(this.find(".qs-frozen"), number.format(total - trained));
      const touched = rows.filter((row) => row.block >= 0 && row.tensors.some((t) => states[t])).length;
      write(this.find(".qs-touched"), `${touched} of ${blocks}`);
      this.find(".qs-wide").style.setProperty("--part", `${extent(trained, total, this.scale).toFixed(3)}%`);
    }
    showTable() {
      const details = this.find(".qs-table");
      if (!details.open) return;
      const table = make("table");
      const head = table.createTHead().insertRow();
      for (const text of ["", "trains", "of", "share"]) head.append(make("th", "", text));
      const body = table.createTBody();
      for (const row of this.structure.rows) {
        if (row.tied) continue; // counted under its first name
        const part = this.choice.trainedOf(row.tensors), line = body.insertRow();
        line.append(make("th", "", row.label));
        for (const text of [number.format(part), number.format(row.numel), percent(part, row.numel)]) {
          line.insertCell().textContent = text;
        }
      }
      details.lastElementChild.replaceChildren(table);
    }
    showNotes({ warnings, problem }) {
      const notes = (warnings || []).map((text) => make("li", "", text));
      if (problem) notes.unshift(make("li", "qs-problem", problem));
      this.find(".qs-notes").replaceChildren(...notes);
    }
    say(text, wrong) {
      const said = this.find(".qs-said");
      write(said, text);
      said.classList.toggle("qs-problem", Boolean(wrong));
    }

    /* ---- presets, layers, regular expression ---- */
    wirePresets() {
      this.find(".qs-presets").addEventListener("click", (event) => {
        const button = event.target.closest("button");
        if (!button) return;
        if (button.dataset.preset && !this.choice) this.wanted = button.dataset.preset;
        else if (button.dataset.preset) this.usePreset(button.dataset.preset);
        if (button.dataset.mode) {
          this.mode = button.dataset.mode;
          choose(button.parentElement, button, "aria-checked");
        }
        if (button.classList.contains("qs-use") && this.matched) this.use(this.matched.ranges, "");
      });
      const layers = this.find(".qs-layers");
      layers.addEventListener("change", () => this.changeLayers());
      layers.addEventListener("keydown", (event) => { if (event.key === "Enter") this.changeLayers(); });
      const pattern = this.find(".qs-regex");
      pattern.addEventListener("input", () => {
        clearTimeout(this.matchTimer);
        this.matchTimer = setTimeout(() => this.lookForMatches(), MATCH_AFTER);
      });
      pattern.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && this.matched) this.use(this.matched.ranges, "");
        if (event.key === "Escape") { pattern.value = ""; this.lookForMatches(); }
      });
    }
    /* One after the other; what is ticked by hand after the click, while Python answers, stands. */
    usePreset(name) {
      const mode = this.mode, choice = this.choice, layers = this.find(".qs-layers").value;
      const since = choice.watchHand(), asked = choice.past.length;
      const take = async () => {
        const answer = await this.ask("choose_preset", name, layers).finally(() => choice.unwatchHand(since));
        if (choice !== this.choice || this.refused(answer)) return; // another model by now
        this.use(answer.ranges, mode === "replace" ? answer.name : "", mode, since, asked);
      };
      this.presets = (this.presets || Promise.resolve()).then(take, take);
    }
    /* The preset in force follows the layers; without one the expression waits for the next. */
    async changeLayers() {
      if (!this.choice) return;
      const answer = await this.ask("count_layers", this.find(".qs-layers").value);
      if (this.refused(answer)) return;
      this.say(answer.blocks === null ? "" : `${number.format(answer.blocks)} of ` +
        `${number.format(this.structure.blocks)} blocks: for the presets`);
      const active = this.find("[data-preset][aria-pressed=true]");
      if (active && this.mode === "replace") this.usePreset(active.dataset.preset);
    }
    refused(answer) {
      if (answer.problem) this.say(answer.problem, true);
      else if (this.find(".qs-said").classList.contains("qs-problem")) this.say("");
      return Boolean(answer.problem);
    }
    use(ranges, name, mode = this.mode, since = new Map(), asked = this.choice.past.length) {
      const found = Choice.read(ranges, this.structure.length);
      const used = (states) => found.map((on, t) =>
        (mode === "replace" ? on : mode === "add" ? states[t] | on : states[t] & ~on));
      const states = used(this.choice.states);
      for (const [t, value] of since) states[t] = value;
      const replaced = this.choice.replace(states, since.size ? "" : name);
      if (replaced && since.size) this.choice.putBefore(asked, used, name);
    }
    async lookForMatches() {
      const pattern = this.find(".qs-regex").value, use = this.find(".qs-use");
      this.matched = null;
      use.disabled = true;
      const answer = pattern && this.choice ? await this.ask("match", pattern) : null;
      if (pattern !== this.find(".qs-regex").value) return; // typed on
      this.find(".qs-regex").setAttribute("aria-invalid", Boolean(answer && answer.problem));
      if (!answer) this.say("");
      else if (answer.problem) this.say(answer.problem, true);
      else {
        this.say(`${number.format(answer.tensors)} tensors match, ` +
          `${number.format(answer.parameters)} parameters`);
        this.matched = answer.tensors ? answer : null;
      }
      use.disabled = !this.matched;
      this.grid.marked = this.matched ? Choice.read(this.matched.ranges, this.structure.length) : null;
      this.grid.redraw();
    }

    /* ---- view, scale, shade, undo ---- */
    wireTools() {
      const hints = {
        grid: "Click, drag or Shift+click to paint. Keys: arrows, Space, Shift+Space the row, " +
          "Ctrl+Space the column, Ctrl+A all; type a number or a name to find it.",
        tree: "Click a row to tick it, its arrow to open it. Keys: arrows, Space, * opens all " +
          "beside it, Ctrl+A all; type a name to find it.",
      };
      write(this.find(".qs-hint"), hints.grid);
      this.find(".qs-tools").addEventListener("click", (event) => {
        const { view, scale } = event.target.dataset;
        if (view) {
          choose(event.target.parentElement, event.target, "aria-checked");
          this.find(".qs-grid").hidden = view !== "grid";
          this.find(".qs-tree").hidden = view !== "tree";
          write(this.find(".qs-hint"), hints[view]);
          this.redraw();
        }
        if (scale) {
          choose(event.target.parentElement, event.target, "aria-checked");
          this.scale = this.grid.scale = this.tree.scale = scale;
          this.redraw();
        }
      });
      this.root.addEventListener("keydown", (event) => {
        if (!(event.ctrlKey || event.metaKey) || event.target.matches("input, textarea, select")) return;
        const key = event.key.toLowerCase();
        if (!this.choice || (key !== "z" && key !== "y")) return;
        event.preventDefault();
        if (key === "y" || event.shiftKey) this.choice.redo(); else this.choice.undo();
      });
      this.find(".qs-table").addEventListener("toggle", () => this.choice && this.showTable());
    }

    /* ---- files, links, kept plans ---- */
    wireActions() {
      this.root.addEventListener("click", (event) => {
        const button = event.target.closest("[data-do]");
        if (button && this.choice) this.act(button);
      });
      const file = this.find(".qs-file");
      file.addEventListener("change", () => this.readFile(file));
      this.find(".qs-name").addEventListener("keydown", (event) => {
        if (event.key === "Enter") this.keep();
      });
    }
    async act(button) {
      switch (button.dataset.do) {
        case "undo": this.choice.undo(); break;
        case "redo": this.choice.redo(); break;
        case "copy": await this.copy(button, (await this.plan()).sentence); break;
        case "link": await this.copy(button, this.linkTo((await this.plan()).json)); break;
        case "download": this.saveFile("plan.json", (await this.plan()).json); break;
        case "load": this.find(".qs-file").click(); break;
        case "paste": this.take(await this.ask("load_plan", this.find(".qs-text").value)); break;
        case "keep": await this.keep(); break;
        case "take": this.take(await this.ask("choose_saved", button.dataset.name)); break;
        case "forget": this.showKept(await this.ask("forget_saved", button.dataset.name)); break;
        default:
      }
    }
    async plan() { return await this.ask("plan_text", this.choice.ranges(), this.choice.name); }
    linkTo(json) {
      const link = new URL(window.location.pathname, window.location.origin);
      link.searchParams.set("model", this.source);
      link.searchParams.set("plan", JSON.stringify(JSON.parse(json)));
      return link.href;
    }
    saveFile(name, text) {
      const link = make("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    }
    async copy(button, text) {
      await navigator.clipboard.writeText(text);
      const label = button.dataset.label || button.textContent;
      button.dataset.label = label;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = label; }, 1200);
    }
    async readFile(input) {
      const file = input.files[0];
      input.value = "";
      if (!file) return;
      if (file.size > MAX_FILE) { this.say("The file is larger than 16 MiB: that is no plan.", true); return; }
      this.take(await this.ask("load_plan", await file.text()));
    }
    /* A plan from a file or a kept one replaces the selection; a refused one changes nothing. */
    take(answer) {
      if (this.refused(answer)) return;
      this.choice.replace(Choice.read(answer.ranges, this.structure.length), answer.name);
      // Said here: the plan made of the ticks names nothing that does not exist.
      this.say((answer.unmatched || []).join(" "));
    }
    async keep() {
      const name = this.find(".qs-name");
      const answer = await this.ask("save_plan", this.choice.ranges(), name.value);
      if (this.refused(answer)) return;
      name.value = "";
      this.showKept(answer);
    }
    async listKept() { this.showKept(await this.ask("list_saved")); }
    showKept({ saved }) {
      this.find(".qs-kept").replaceChildren(...(saved || []).map((name) => {
        const line = make("li"), take = make("button", "qs-link", name);
        const forget = make("button", "qs-link qs-quiet", "delete");
        for (const [button, what] of [[take, "take"], [forget, "forget"]]) {
          Object.assign(button, { type: "button" });
          Object.assign(button.dataset, { do: what, name });
        }
        forget.setAttribute("aria-label", `Delete the plan ${name}`);
        line.append(take, forget);
        return line;
      }));
    }
  }

  window.QwenFreeze = { mount: (context) => new FreezeTab(context), parts: [], percent, short };
})();
