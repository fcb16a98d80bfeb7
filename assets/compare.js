/* The view of a comparison (Compare tab). All DOM is owned here; the server is asked where the
   comparison stands, once a second while it runs. Text is set as text, never as HTML. */
(() => {
  "use strict";
  const POLL_MS = 1000;
  const PALETTE = ["accent", "role-attention", "role-mlp", "role-norm", "role-head", "role-expert"];
  const number = new Intl.NumberFormat("en-US");
  const size = (bytes) => bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB`
    : bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(0)} KB`;
  const share = (value) => `${Number((100 * value).toPrecision(3))} %`;
  const COLUMNS = [
    ["plan", (r) => r.plan, "A larger dot in the right chart: no plan with as few trainable parameters is better"],
    ["trainable", (r) => number.format(r.trainable)],
    ["share", (r) => share(r.share)],
    ["rate", (r) => r.learning_rate.toExponential(0)],
    ["before", (r) => r.before.toFixed(3)],
    ["after", (r) => r.after.toFixed(3) + (r.runs > 1 ? ` ± ${r.spread.toFixed(3)}` : "")],
    ["perplexity", (r) => number.format(Number(r.perplexity.toPrecision(4)))],
    ["seconds", (r) => r.seconds.toFixed(1)],
    ["tokens/s", (r) => number.format(Math.round(r.tokens_per_second))],
    ["memory", (r) => size(r.peak_bytes)],
    ["delta", (r) => size(r.delta_bytes)],
    ["nats/M", (r) => r.gain_per_million.toPrecision(3), "Nats gained for a million parameters"],
    ["nats/s", (r) => r.gain_per_second.toPrecision(3), "Nats gained for a second of training"],
  ];

  class View {
    constructor({ element, props, server, watch }) {
      this.root = element.querySelector(".qc-view");
      this.server = server;
      this.axis = "step";
      this.tools = window.QwenCharts.tools;
      this.tools.onTheme(() => this.parts && this.draw());
      watch("value", () => this.open(props.value));
      this.open(props.value);
    }

    open(name) {
      clearTimeout(this.timer);
      this.name = name || "";
      this.root.replaceChildren();
      this.parts = null;
      if (!this.name) {
        this.root.append(this.tools.make("p", "qc-empty",
          "Nothing compared yet. One click trains attention-only and BitFit on the top 4 blocks, on the same "
          + "data and seeds, and says which ends lower and at what cost: about a minute on the small twin."));
        return;
      }
      this.root.append(this.tools.make("p", "qc-empty", "Reading the comparison …"));
      this.poll();
    }

    async poll() {
      const name = this.name;
      const found = await this.server.state({ name, axis: this.axis });
      if (name !== this.name) return;
      if (found.error) {
        this.root.replaceChildren(this.tools.make("p", "qc-empty", found.error));
        return;
      }
      this.found = found;
      await this.draw();
      if (!found.over) this.timer = setTimeout(() => this.poll(), POLL_MS);
    }

    frame() {
      const { make, button, save } = this.tools;
      const parts = {};
      parts.headline = make("h2", "qc-headline");
      parts.setup = make("p", "qc-setup");
      parts.verdict = make("p", "qc-verdict");
      parts.verdict.setAttribute("role", "status");
      parts.bar = make("div", "qc-bar");
      const buttons = make("div", "qc-bar");
      const end = make("div", "qc-tools");
      const axis = make("select", "qr-button");
      axis.setAttribute("aria-label", "Axis of the curves");
      for (const [value, text] of [["step", "by step"], ["elapsed", "by second"]]) {
        const option = make("option", "", text);
        option.value = value;
        axis.append(option);
      }
      axis.addEventListener("change", () => { this.axis = axis.value; clearTimeout(this.timer); this.poll(); });
      parts.stop = button("Stop", "", () => this.act("stop"));
      parts.go = button("Carry on", "", () => this.act("carry on"));
      const text = (format) => this.server.report({ name: this.name, format });
      end.append(axis, parts.stop, parts.go,
        button("Markdown", "", async () => save("comparison.md", await text("markdown"), "text/markdown")),
        button("HTML", "", async () => save("comparison.html", await text("html"), "text/html")));
      buttons.append(end);
      const charts = make("div", "qc-charts");
      parts.curves = this.figure(charts, "Evaluation loss (nats a token), training loss thin");
      parts.front = this.figure(charts, "Loss after against trainable parameters");
      parts.table = make("div", "qc-scroll");
      parts.samples = make("div", "qc-samples");
      this.root.replaceChildren(parts.headline, parts.verdict, parts.setup, parts.bar, buttons, charts, parts.table, parts.samples);
      return parts;
    }

    figure(parent, title) {
      const node = this.tools.make("figure");
      node.append(this.tools.make("figcaption", "", title));
      const plot = this.tools.make("div", "qc-plot");
      node.append(plot);
      parent.append(node);
      return plot;
    }

    async act(action) {
      await this.server.act({ name: this.name, action });
      clearTimeout(this.timer);
      this.poll();
    }

    paint(plan) {
      const index = this.found.plans.indexOf(plan);
      return this.tools.colour(PALETTE[index % PALETTE.length]);
    }

    async draw() {
      const found = this.found;
      this.parts ||= this.frame();
      const { headline, setup, verdict, bar, table, samples, stop, go } = this.parts;
      headline.textContent = found.headline;
      headline.hidden = !found.headline;
      setup.textContent = found.setup;
      verdict.textContent = found.over || found.rows.length > 1 ? found.verdict
        : "Running: the verdict comes when two plans have a completed run.";
      const done = found.over && found.runs.every((run) => run.status === "completed");
      bar.replaceChildren(...(done ? [] : found.runs.map((run) => this.run(run))));
      for (const run of found.runs) {
        if (run.status !== "failed" || !run.reason) continue;
        bar.append(this.tools.make("p", "qc-reason", `${run.plan}, seed ${run.seed}: ${run.reason}`));
      }
      stop.hidden = found.over;
      go.hidden = !found.over || done;
      table.replaceChildren(...(found.rows.length ? [this.table(found.rows), this.rates(found.rows)] : []));
      samples.replaceChildren(...found.samples.map((sample) => this.sample(sample)));
      await this.plots();
    }

    run(run) {
      const { make } = this.tools;
      const node = make("span", run.status === "failed" ? "qc-run qc-failed" : "qc-run");
      const dot = make("span", "qc-dot");
      dot.style.background = this.paint(run.plan);
      const where = run.status === "running" ? `${run.step} / ${run.steps}` : run.status;
      node.append(dot, make("span", "", `${run.plan}, seed ${run.seed}: ${where}`));
      if (run.reason) node.title = run.reason;
      return node;
    }

    table(rows) {
      const { make } = this.tools;
      const table = make("table", "qc-table"), head = make("tr");
      for (const [title, , words] of COLUMNS) {
        const cell = make("th", "", title);
        if (words) cell.title = words;
        head.append(cell);
      }
      table.append(make("thead"), make("tbody"));
      table.tHead.append(head);
      for (const row of rows) {
        const line = make("tr");
        for (const [title, text] of COLUMNS) {
          const best = title === "after" && row.after === Math.min(...rows.map((r) => r.after));
          line.append(make("td", best ? "qc-best" : "", text(row)));
        }
        line.firstChild.replaceChildren(this.plan(row.plan));
        table.tBodies[0].append(line);
      }
      return table;
    }

    plan(name) {
      const { make } = this.tools;
      const node = make("span", "qc-plan"), dot = make("span", "qc-dot");
      dot.style.background = this.paint(name);
      node.append(dot, make("span", "", name));
      return node;
    }

    rates(rows) {
      const bySource = new Map();
      for (const row of rows) {
        const said = `${row.plan} ${row.learning_rate.toExponential(0)}`;
        bySource.set(row.rate_source, [...(bySource.get(row.rate_source) || []), said]);
      }
      const words = [...bySource].map(([source, plans]) => `${plans.join(", ")} (${source})`);
      return this.tools.make("p", "qc-rates", `Learning rates: ${words.join("; ")}.`);
    }

    sample(sample) {
      const { make } = this.tools;
      const node = make("section");
      const head = make("h3");
      head.append(this.plan(sample.plan));
      node.append(head);
      for (const [when, text] of [["before", sample.before], ["after", sample.after]]) {
        const words = make("p");
        words.append(make("small", "", `${when}: `), document.createTextNode(sample.prompt + text));
        node.append(words);
      }
      return node;
    }

    async plots() {
      const { plotly, layout, CONFIG } = this.tools;
      const { curves, front } = this.parts;
      curves.parentNode.hidden = this.found.runs.every((run) => !Object.keys(run.lines).length);
      front.parentNode.hidden = !this.found.rows.length;
      if (curves.parentNode.hidden) return;
      const lib = await plotly(this.root.dataset.plotly);
      const lines = this.found.runs.flatMap((run) => [
        this.line(run, "smooth", { line: { color: this.paint(run.plan), width: 1 }, opacity: 0.6 }),
        this.line(run, "eval", { mode: "lines+markers", marker: { size: 6 },
          line: { color: this.paint(run.plan), width: 2.2 } }),
      ]).filter(Boolean);
      await lib.react(curves, lines, layout(this.axis, { height: 320 }), CONFIG);
      if (front.parentNode.hidden) return;
      const counts = this.found.rows.map((row) => row.trainable);
      const middle = Math.sqrt(Math.min(...counts) * Math.max(...counts));
      const points = this.found.rows.map((row) => ({
        type: "scatter", mode: "markers+text", x: [row.trainable], y: [row.after],
        error_y: { array: [row.spread], visible: row.runs > 1 },
        text: [` ${row.plan} `], cliponaxis: false,
        textposition: row.trainable > middle ? "middle left" : "middle right",
        marker: { size: row.front ? 12 : 8, color: this.paint(row.plan) },
        hovertemplate: "%{x:,} parameters, %{y:.4f} nats<extra></extra>",
      }));
      const extra = { height: 320, x: { type: "log", title: { text: "trainable parameters" } },
        y: { automargin: true } };
      const shape = layout("step", extra);
      shape.hovermode = "closest";
      await lib.react(front, points, shape, CONFIG);
    }

    line(run, key, style) {
      const line = run.lines[key];
      return line && { type: "scatter", mode: "lines", x: line[0], y: line[1],
        name: `${run.plan}, seed ${run.seed}`, hovertemplate: "%{y:.4f}", ...style };
    }
  }

  window.QwenCompare = { mount: (component) => new View(component) };
})();
