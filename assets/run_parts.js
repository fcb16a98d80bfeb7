/* Parts of a run's view beside its curves: samples, movement, the log, the forms to retry and to
   describe it. Text is set as text, never as HTML. */
(() => {
  "use strict";
  const { make, button, number, drawer, layout, colour, rounded, CONFIG } = window.QwenCharts.tools;

  /* What the model wrote before, during and after, beside each other; a row a prompt. */
  class Samples {
    constructor() {
      this.node = make("section", "qr-section qr-samples-part");
      this.node.hidden = true;
      this.clear();
    }
    clear() {
      this.prompts = new Map();
      this.chosen = null;
      this.over = false;
      this.node.replaceChildren();
      this.node.hidden = true;
    }
    take(samples, over) {
      if (!samples.length && over === this.over) return;
      this.over = over;
      for (const { step, prompt, text } of samples) {
        if (!this.prompts.has(prompt)) this.prompts.set(prompt, new Map());
        this.prompts.get(prompt).set(step, text);
      }
      if (this.prompts.size) this.draw();
    }
    steps() {
      const all = new Set([...this.prompts.values()].flatMap((texts) => [...texts.keys()]));
      return [...all].sort((a, b) => a - b);
    }
    draw() {
      const steps = this.steps(), first = steps[0], final = steps[steps.length - 1];
      const between = steps.slice(1, -1);
      if (!between.includes(this.chosen)) this.chosen = null;
      const middle = this.chosen ?? between[Math.floor((between.length - 1) / 2)];
      const columns = [[first, first === 0 ? "before" : `step ${number.format(first)}`]];
      if (between.length) columns.push([middle, null]);
      if (final !== first) {
        columns.push([final, `${this.over ? "after" : "now"}, step ${number.format(final)}`]);
      }
      const table = make("table", "qr-samples"), top = make("thead"), body = make("tbody");
      const head = make("tr");
      head.append(make("th", "", "prompt"));
      for (const [, title] of columns) head.append(title === null ? this.picker(between, middle) : make("th", "", title));
      top.append(head);
      for (const [prompt, texts] of this.prompts) {
        const row = make("tr");
        row.append(make("td", "qr-prompt", prompt ?? ""));
        for (const [step] of columns) row.append(make("td", "", (texts.get(step) ?? "–").trimStart()));
        body.append(row);
      }
      table.append(top, body);
      const held = document.activeElement?.closest?.(".qr-samples-part") === this.node;
      this.node.replaceChildren(make("h4", "", "What it writes"), table);
      this.node.hidden = false;
      if (held) this.node.querySelector("select")?.focus();
    }
    picker(between, middle) {
      const cell = make("th", "", "during, step "), select = make("select");
      select.setAttribute("aria-label", "Step of the sample in the middle");
      for (const step of between) {
        const option = make("option", "", number.format(step));
        option.value = step;
        select.append(option);
      }
      select.value = middle;
      select.addEventListener("change", () => { this.chosen = Number(select.value); this.draw(); });
      cell.append(select);
      return cell;
    }
  }

  /* How far each block's trained tensors are from where they began: now, and step by step. */
  class Movement {
    constructor() {
      this.node = make("section", "qr-section");
      this.node.hidden = true;
      this.clear();
    }
    clear() {
      this.history = [];
      this.node.replaceChildren();
      this.node.hidden = true;
    }
    take(events) {
      if (!events.length) return;
      for (const event of events) {
        this.history = this.history.filter((old) => old.step !== event.step);
        this.history.push(event);
      }
      return this.draw();
    }
    async draw() {
      const latest = this.history[this.history.length - 1];
      if (!latest || !latest.blocks.length || !drawer()) return;
      if (!this.node.firstChild) {
        this.now = make("div", "qr-plot qr-movement");
        this.path = make("div", "qr-plot");
        const pair = make("div", "qr-pair");
        pair.append(this.now, this.path);
        this.node.append(make("h4", "", "How far the trained tensors have moved"),
          make("p", "qr-hint", "The norm of the change since the first step, block by block. Frozen "
            + "blocks stay where they are."), pair);
        this.node.hidden = false;
      }
      await Promise.all([this.drawNow(latest), this.drawPath()]);
    }
    drawNow(latest) {
      const blocks = latest.blocks.map((pair) => pair[0]), first = Math.min(...blocks);
      const data = [{ type: "bar", x: blocks, y: latest.blocks.map((pair) => pair[1]),
        marker: { color: colour("accent") },
        hovertemplate: "block %{x}: %{y:.4g}<extra></extra>" }];
      const frozen = first > 0 ? { shapes: [{ type: "rect", xref: "x", yref: "paper", x0: -0.5,
        x1: first - 0.5, y0: 0, y1: 1, fillcolor: colour("frozen-soft"), line: { width: 0 },
        layer: "below" }], annotations: [{ x: (first - 1) / 2, xref: "x", yref: "paper", y: 0.5,
        text: `${first} frozen ${first === 1 ? "block" : "blocks"}`, showarrow: false,
        font: { color: colour("muted") } }] } : {};
      const extra = { height: 190, x: { title: { text: "block", standoff: 6 }, tickformat: "d",
        range: [-0.5, Math.max(...blocks) + 0.5], showgrid: false }, y: { rangemode: "tozero",
        title: { text: `at step ${number.format(latest.step)}`, standoff: 4 } } };
      return drawer().react(this.now, data, { ...layout("block", extra), ...frozen,
        hovermode: "closest", bargap: 0.2 }, CONFIG);
    }
    drawPath() {
      const blocks = [...new Set(this.history.flatMap((e) => e.blocks.map((p) => p[0])))]
        .sort((a, b) => a - b);
      const at = (event, block) => event.blocks.find((pair) => pair[0] === block)?.[1] ?? null;
      const data = [{ type: "heatmap", x: this.history.map((e) => e.step), y: blocks.map(String),
        z: blocks.map((block) => this.history.map((event) => at(event, block))), zmin: 0,
        colorscale: [[0, colour("frozen-soft")], [1, colour("accent")]],
        colorbar: { thickness: 8, outlinewidth: 0, tickfont: { color: colour("muted") } },
        hovertemplate: "step %{x}, block %{y}: %{z:.4g}<extra></extra>" }];
      const extra = { height: 190, x: { showgrid: false }, y: { type: "category", showgrid: false,
        title: { text: "block", standoff: 4 } } };
      return drawer().react(this.path, data, { ...layout("step", extra), hovermode: "closest" },
        CONFIG);
    }
  }

  /* The end of the worker's log, as long as it is open kept up to date. */
  class Log {
    constructor(view) {
      this.view = view;
      this.node = make("pre", "qr-log");
      this.node.tabIndex = 0;
      this.node.hidden = true;
      this.node.setAttribute("aria-label", "Log of the worker");
      this.size = -1;
    }
    async toggle(open = this.node.hidden) {
      this.node.hidden = !open;
      this.size = -1;
      await this.refresh();
    }
    async refresh() {
      if (this.node.hidden) return;
      const found = await this.view.server.log({ run: this.view.run, size: this.size });
      if (found.size === this.size) return;
      const down = this.node.scrollTop + this.node.clientHeight >= this.node.scrollHeight - 8;
      this.size = found.size;
      this.node.textContent = found.text || "The worker has written nothing to its log.";
      if (down) this.node.scrollTop = this.node.scrollHeight;
    }
  }

  const field = (label, value, more = {}) => {
    const input = make("input"), wrap = make("label", "qr-field", "");
    Object.assign(input, { type: "text", value: value ?? "", ...more });
    wrap.append(make("span", "", label), input);
    return [wrap, input];
  };
  const form = (title, fields, submit, onsubmit, onclose) => {
    const node = make("form", "qr-form"), row = make("div", "qr-form-row");
    const keep = button(submit, "qr-primary", () => {});
    keep.type = "submit";
    const wrong = make("p", "qr-reason qr-problem");
    row.append(keep, button("Cancel", "", onclose));
    node.append(make("h4", "", title), ...fields, row, wrong);
    node.addEventListener("submit", async (event) => {
      event.preventDefault();
      keep.disabled = true;
      const answer = await onsubmit();
      keep.disabled = false;
      wrong.textContent = (answer && answer.error) || "";
    });
    node.addEventListener("keydown", (event) => { if (event.key === "Escape") onclose(); });
    return node;
  };

  /* A new run with the settings of this one, some of them changed. */
  const retryForm = (view, settings, changes, onclose) => {
    const grid = make("div", "qr-fields"), inputs = new Map();
    for (const { name, value, choices } of settings) {
      const wrap = make("label", "qr-field"), was = value === null ? "" : String(value);
      const input = make(choices ? "select" : "input");
      for (const choice of choices || []) input.append(make("option", "", choice));
      if (!choices) Object.assign(input, { type: "text", inputMode: "decimal", placeholder: "automatic" });
      input.value = changes[name] ?? was;
      const mark = () => wrap.classList.toggle("qr-changed", input.value !== was);
      input.addEventListener("input", mark);
      wrap.append(make("span", "", name.replaceAll("_", " ")), input);
      wrap.title = `It was ${was || "automatic"}`;
      mark();
      grid.append(wrap);
      inputs.set(name, [input, was]);
    }
    return form("A new run with these settings", [grid], "Start it", () => {
      const changed = {};
      for (const [name, [input, was]] of inputs) if (input.value !== was) changed[name] = input.value;
      return view.retry(changed);
    }, onclose);
  };

  const describeForm = (view, meta, onclose) => {
    const [name, nameInput] = field("Name", meta.name, { maxLength: 120 });
    const [tags, tagsInput] = field("Tags, by comma", (meta.tags || []).join(", "));
    const note = make("label", "qr-field qr-field-wide"), text = make("textarea");
    Object.assign(text, { value: meta.note || "", rows: 2, maxLength: 5000 });
    note.append(make("span", "", "Note"), text);
    const grid = make("div", "qr-fields");
    grid.append(name, tags, note);
    const node = form("Name, tags and note", [grid], "Save", () => view.describe({
      name: nameInput.value, note: text.value, tags: tagsInput.value.split(",") }), onclose);
    queueMicrotask(() => nameInput.focus());
    return node;
  };

  window.QwenParts = { Samples, Movement, Log, retryForm, describeForm, rounded };
})();
