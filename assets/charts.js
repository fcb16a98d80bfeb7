/* The live view of a run (Train and Runs tabs) and the overlay of several (Runs tab). All DOM is
   owned here. plotly.js is fetched once, when a chart is first wanted. A view asks for what is new
   since its offset and extends the lines in place, so zoom, hover and hidden lines stay. */
(() => {
  "use strict";
  const POLL_MS = 700, IDLE_MS = 3000, MOST_POINTS = 2400;
  const CHARTS = [
    { key: "loss", title: "Loss (nats a token)", lines: ["loss", "smooth", "eval"], main: true },
    { key: "learning_rate", title: "Learning rate", lines: ["learning_rate"] },
    { key: "gradient_norm", title: "Gradient norm", lines: ["gradient_norm"] },
    { key: "tokens_per_second", title: "Tokens a second", lines: ["tokens_per_second"], zero: true },
    { key: "memory_bytes", title: "Memory", lines: ["memory_bytes"], bytes: true, zero: true },
  ];
  const NAMES = { loss: "training", smooth: "training, smoothed", eval: "evaluation" };
  const AXES = { step: "step", tokens: "tokens", elapsed: "seconds" };

  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const button = (text, className, onclick, title) => {
    const node = make("button", `qr-button ${className || ""}`, text);
    node.type = "button";
    if (title) node.title = title;
    node.addEventListener("click", onclick);
    return node;
  };
  const number = new Intl.NumberFormat("en-US");
  const rounded = (value, digits = 4) => value === null || value === undefined ? "–"
    : Number(value.toPrecision(digits)).toString();
  const duration = (seconds) => {
    if (seconds === null || seconds === undefined) return "–";
    const s = Math.round(seconds);
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`;
    return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} min`;
  };
  const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--q-${name}`).trim();
  const save = (name, text, type) => {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  let library = null;
  const plotly = (address) => {
    if (window.Plotly) return Promise.resolve(window.Plotly);
    library ||= new Promise((resolve, reject) => {
      const script = make("script");
      script.src = address;
      script.async = true;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error("plotly.js could not be loaded"));
      document.head.append(script);
    });
    return library;
  };

  const layout = (axis, extra = {}) => {
    const grid = colour("line"), muted = colour("muted");
    const axisStyle = {
      gridcolor: grid, zeroline: false, color: muted, linecolor: grid, automargin: true,
    };
    return {
      height: extra.height || 150,
      margin: { l: 52, r: 12, t: extra.top || 8, b: 34 },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: "system-ui, -apple-system, Segoe UI, Roboto, sans-serif", size: 12,
        color: colour("ink") },
      hovermode: "x unified", hoverlabel: { bgcolor: colour("raised"), bordercolor: grid },
      showlegend: !!extra.legend,
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      xaxis: { ...axisStyle, title: { text: AXES[axis] || axis, standoff: 6 }, ...extra.x },
      yaxis: { ...axisStyle, ...extra.y },
      uirevision: extra.revision || "kept",
      dragmode: "zoom",
    };
  };
  const CONFIG = {
    responsive: true, displaylogo: false, displayModeBar: "hover",
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "toImage"],
  };

  /* Keep the smallest and the largest of every bucket; the first and the last point stay. */
  const thin = (x, y, most) => {
    if (x.length <= most) return [x, y];
    const keep = new Set([0, x.length - 1]), buckets = Math.floor(most / 4);
    for (let bucket = 0; bucket < buckets; bucket++) {
      let low = -1, high = -1;
      const last = Math.floor(((bucket + 1) * x.length) / buckets);
      for (let i = Math.floor((bucket * x.length) / buckets); i < last; i++) {
        if (y[i] === null) continue;
        if (low < 0 || y[i] < y[low]) low = i;
        if (high < 0 || y[i] > y[high]) high = i;
      }
      if (low >= 0) keep.add(low).add(high);
    }
    const rows = [...keep].sort((a, b) => a - b);
    return [rows.map((i) => x[i]), rows.map((i) => y[i])];
  };

  const trace = (line, style) => ({
    type: "scatter", mode: "lines", x: [], y: [], name: NAMES[line] || line,
    hovertemplate: "%{y:.5g}", ...style,
  });
  const STYLES = {
    loss: () => ({ line: { color: colour("frozen"), width: 1 }, opacity: 0.75 }),
    smooth: () => ({ line: { color: colour("accent"), width: 2.2 } }),
    eval: () => ({ mode: "lines+markers", line: { color: colour("role-attention"), width: 2 },
      marker: { size: 7 } }),
    other: () => ({ line: { color: colour("accent"), width: 1.6 } }),
  };
  const styled = (line) => (STYLES[line] || STYLES.other)();

  /* One chart: a heading with the last value, the plot, and its downloads. */
  class Chart {
    constructor(view, spec) {
      this.view = view;
      this.spec = spec;
      this.log = false;
      this.held = {};
      this.drawn = this.seen = false;
      this.work = Promise.resolve();
      this.node = make("figure", spec.main ? "qr-chart qr-main" : "qr-chart");
      const head = make("figcaption", "qr-chart-head");
      head.append(make("span", "qr-chart-title", spec.title));
      this.now = make("span", "qr-now");
      const tools = make("span", "qr-tools");
      const log = button("log", "qr-tool", () => this.toggleLog(log), "Logarithmic scale");
      log.setAttribute("aria-pressed", "false");
      tools.append(log);
      for (const format of ["png", "svg"]) {
        tools.append(button(format.toUpperCase(), "qr-tool", () => this.picture(format),
          `Download ${spec.title.toLowerCase()} as ${format.toUpperCase()}`));
      }
      head.append(this.now, tools);
      this.plot = make("div", "qr-plot");
      this.node.append(head, this.plot);
      this.node.hidden = !spec.main;
      new IntersectionObserver((entries) => {
        this.seen = entries[entries.length - 1].isIntersecting;
        if (this.seen) this.flush();
      }, { rootMargin: "200px" }).observe(this.node);
    }
    layout() {
      const y = { type: this.log ? "log" : "linear", rangemode: this.spec.zero && !this.log ? "tozero" : "normal" };
      if (this.spec.bytes) Object.assign(y, { tickformat: ".4~s", ticksuffix: "B" });
      return layout(this.view.axis, { height: this.spec.main ? 330 : 170,
        legend: this.spec.main, top: this.spec.main ? 30 : 8, y });
    }
    /* Take in what is new; it is drawn when the chart is in view, so an update costs what is seen. */
    take(lines) {
      for (const line of this.spec.lines) {
        if (!lines[line]) continue;
        const [x, y] = this.held[line] || [[], []];
        this.held[line] = thin(x.concat(lines[line][0]), y.concat(lines[line][1]), MOST_POINTS);
      }
      const first = lines[this.spec.lines[0]];
      if (first) {
        const value = first[1][first[1].length - 1];
        this.now.textContent = this.spec.bytes ? `${rounded(value / 1e9, 3)} GB` : rounded(value);
        this.node.hidden = false;
      }
      return this.flush();
    }
    flush() {
      this.work = this.work.then(() => this.drawHeld());
      return this.work;
    }
    async drawHeld() {
      const lib = window.Plotly, held = this.held;
      if (!lib || !this.seen || (this.drawn && !Object.keys(held).length)) return;
      this.held = {};
      if (!this.drawn) {
        const traces = this.spec.lines.map((line) => {
          const [x, y] = held[line] || [[], []];
          return { ...trace(line, styled(line)), x, y };
        });
        this.drawn = true;
        await lib.newPlot(this.plot, traces, this.layout(), CONFIG);
        return;
      }
      const rows = [], x = [], y = [];
      this.spec.lines.forEach((line, row) => {
        if (!held[line]) return;
        rows.push(row);
        x.push(held[line][0]);
        y.push(held[line][1]);
      });
      await lib.extendTraces(this.plot, { x, y }, rows);
      if (this.plot.data.some((data) => data.x.length > MOST_POINTS * 1.5)) {
        const thinned = this.plot.data.map((data) => thin(data.x, data.y, MOST_POINTS));
        await lib.restyle(this.plot, { x: thinned.map((t) => t[0]), y: thinned.map((t) => t[1]) });
      }
    }
    clear(axisChanged) {
      this.held = {};
      this.work = this.work.then(async () => {
        if (!this.drawn) return;
        const empty = () => this.plot.data.map(() => []);
        const range = axisChanged
          ? { "xaxis.title.text": AXES[this.view.axis], "xaxis.autorange": true } : {};
        await window.Plotly.update(this.plot, { x: empty(), y: empty() }, range);
      });
    }
    toggleLog(node) {
      this.log = !this.log;
      node.setAttribute("aria-pressed", String(this.log));
      window.Plotly.relayout(this.plot, { "yaxis.type": this.log ? "log" : "linear",
        "yaxis.autorange": true });
    }
    recolour(lib) {
      if (!this.drawn) return;
      const data = this.plot.data.map((old, row) => ({ ...old, ...styled(this.spec.lines[row]) }));
      lib.react(this.plot, data, this.layout(), CONFIG);
    }
    picture(format) {
      window.Plotly.downloadImage(this.plot, { format, width: 1200, height: 600,
        filename: `${this.view.run}-${this.spec.key}` });
    }
  }

  const WORDS = {
    queued: "Waiting for the device", running: "Training", completed: "Completed",
    stopped: "Stopped", failed: "Failed", interrupted: "Interrupted",
  };

  class RunView {
    constructor({ element, props, server, watch }) {
      this.server = server;
      this.props = props;
      this.root = element.querySelector(".qr-view");
      this.address = this.root.dataset.plotly;
      this.smoothing = 0.9;
      this.axis = "step";
      this.timer = null;
      this.asking = 0;
      this.show(props.value);
      watch("value", () => this.show(this.props.value));
      new MutationObserver(() => this.recolour())
        .observe(document.body, { attributes: true, attributeFilter: ["class"] });
      document.addEventListener("visibilitychange", () => { if (!document.hidden) this.tick(); });
    }
    async show(run) {
      run = run || "";
      if (run === this.run) { if (run) this.tick(); return; }
      this.run = run;
      clearTimeout(this.timer);
      this.restart();
      if (!run) return this.empty();
      this.build();
      this.ready = false;
      // Where the run stands is said at once; the curves follow when plotly.js is here.
      this.tick();
      try {
        await plotly(this.address);
      } catch (error) {
        return this.problem(error.message);
      }
      if (this.run !== run) return;
      this.ready = true;
      this.tick();
    }
    restart() {
      this.offset = 0;
      this.carry = {};
      this.samples = [];
      this.advice = this.asked = "";
    }
    empty() {
      const note = make("div", "qr-empty");
      note.append(make("strong", "", "No run yet"),
        make("p", "", "Choose what trains on the Freeze tab, pick data, and launch. Loss, samples "
          + "and progress appear here and stay when the page is closed."));
      this.root.replaceChildren(note);
    }
    build() {
      this.bar = make("progress", "qr-bar");
      this.bar.max = 1;
      this.bar.setAttribute("aria-label", "Progress of the run");
      this.badge = make("span", "qr-badge");
      this.title = make("span", "qr-run", this.run);
      this.facts = make("div", "qr-facts");
      this.reason = make("p", "qr-reason");
      this.reason.setAttribute("role", "status");
      this.actions = make("span", "qr-actions");
      this.buttons = {
        stop: button("Stop", "", () => this.act("stop"), "Saves, then stops"),
        kill: button("Kill", "", () => this.act("kill"), "Ends the process at once"),
        resume: button("Resume", "", () => this.act("resume"), "Goes on from the last checkpoint"),
        csv: button("CSV", "", async () => save(`${this.run}.csv`,
          await this.server.csv({ run: this.run }), "text/csv"), "Every recorded step"),
        log: button("Log", "", () => this.toggleLog(), "The worker's log"),
      };
      this.actions.append(...Object.values(this.buttons));
      const head = make("div", "qr-head");
      head.append(this.badge, this.title, this.actions);
      this.log = make("pre", "qr-log");
      this.log.hidden = true;
      this.log.tabIndex = 0;
      this.outcome = make("div", "qr-outcome");
      this.charts = CHARTS.map((spec) => new Chart(this, spec));
      const grid = make("div", "qr-grid");
      grid.append(...this.charts.slice(1).map((chart) => chart.node));
      this.moved = make("section", "qr-section");
      this.sampleTable = make("section", "qr-section");
      this.root.replaceChildren(head, this.bar, this.facts, this.reason, this.log, this.outcome,
        this.controls(), this.charts[0].node, this.moved, this.sampleTable, grid);
    }
    controls() {
      const row = make("div", "qr-controls");
      const smooth = make("input");
      Object.assign(smooth, { type: "range", min: 0, max: 0.99, step: 0.01, value: this.smoothing });
      const label = make("label", "", "Smoothing ");
      label.append(smooth);
      smooth.addEventListener("change", () => {
        this.smoothing = Number(smooth.value);
        this.reload();
      });
      const axis = make("select");
      for (const [value, text] of Object.entries(AXES)) {
        const option = make("option", "", text);
        option.value = value;
        axis.append(option);
      }
      axis.value = this.axis;
      axis.addEventListener("change", () => { this.axis = axis.value; this.reload(true); });
      const along = make("label", "", "Along ");
      along.append(axis);
      row.append(label, along);
      return row;
    }
    async reload(axisChanged) {
      this.restart();
      this.asking++;
      this.stale = { axis: axisChanged };
      this.tick();
    }
    async tick() {
      clearTimeout(this.timer);
      if (!this.run || !this.root.isConnected) return;
      const run = this.run, asking = ++this.asking;
      const shown = !document.hidden && this.root.offsetParent !== null;
      let over = false;
      if (shown) {
        try {
          const answer = await this.server.poll({ run, offset: this.offset, carry: this.carry,
            smoothing: this.smoothing, axis: this.axis });
          if (run !== this.run || asking !== this.asking) return;
          await this.take(answer);
          over = !["queued", "running"].includes(answer.status);
        } catch (error) {
          if (run !== this.run || asking !== this.asking) return;
          this.offline();
        }
      }
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.tick(), over || !shown ? IDLE_MS : POLL_MS);
    }
    offline() {
      this.reason.textContent = "The dashboard does not answer. The run goes on without it; this "
        + "page tries again every few moments.";
      this.wasOffline = true;
    }
    problem(text) {
      this.root.replaceChildren(make("p", "qr-reason qr-problem", text));
    }
    async take(answer) {
      if (answer.error) return this.problem(answer.error);
      if (!this.ready) return this.say(answer);
      const began = performance.now();
      if (answer.again) { this.restart(); this.stale = {}; return; }
      this.offset = answer.offset;
      this.carry = answer.carry;
      if (this.stale) {
        for (const chart of this.charts) chart.clear(this.stale.axis);
        this.stale = null;
      }
      this.say(answer);
      await Promise.all(this.charts.map((chart) => chart.take(answer.lines)));
      if (answer.movement) this.showMovement(answer.movement);
      if (answer.samples.length) this.showSamples(answer.samples);
      if (answer.end || answer.start) this.showOutcome(answer);
      this.root.dataset.updates = Number(this.root.dataset.updates || 0) + 1;
      this.root.dataset.cost = (performance.now() - began).toFixed(1);
      const main = this.charts[0];
      if (main.drawn) this.root.dataset.points = main.plot.data[0].x.length;
    }
    say(answer) {
      const open = ["queued", "running"].includes(answer.status);
      this.badge.textContent = WORDS[answer.status] || answer.status;
      this.badge.className = `qr-badge qr-${answer.status}`;
      this.root.dataset.status = answer.status;
      if (answer.steps) this.bar.value = Math.min(1, answer.step / answer.steps);
      if (answer.start && answer.start.device) this.device = answer.start.device;
      if (answer.epoch) this.epoch = answer.epoch;
      const facts = [
        [`${number.format(answer.step)} of ${number.format(answer.steps)}`, "steps"],
        [this.epoch ? rounded(this.epoch, 3) : "–", "epoch"],
        [duration(answer.elapsed || null), "elapsed"],
        [duration(open ? answer.remaining : 0), "remaining"],
        [answer.seconds_per_step ? `${rounded(1 / answer.seconds_per_step, 3)} /s` : "–",
          "steps"],
        [answer.tokens_per_second ? number.format(Math.round(answer.tokens_per_second)) : "–",
          "tokens a second"],
        [this.device || "–", "device"],
      ];
      this.facts.replaceChildren(...facts.map(([value, label]) => {
        const fact = make("div", "qr-fact");
        fact.append(make("b", "", value), make("span", "", label));
        return fact;
      }));
      const ahead = answer.ahead;
      this.reason.textContent = answer.reason || (answer.status === "queued"
        ? (ahead ? `${ahead} ${ahead === 1 ? "run is" : "runs are"} before this one.`
          : "The worker is being started.") : answer.status === "running" && !answer.step
          ? "The worker loads the model and prepares the data." : "");
      this.reason.className = ["failed", "interrupted"].includes(answer.status)
        ? "qr-reason qr-problem" : "qr-reason";
      if (answer.reason && answer.reason.includes("memory") && this.asked !== answer.reason) {
        this.asked = answer.reason;
        this.server.advice({ run: this.run }).then((said) => { this.advice = said; });
      }
      if (answer.reason && this.advice) this.reason.textContent += ` ${this.advice}`;
      this.buttons.stop.hidden = this.buttons.kill.hidden = !open;
      this.buttons.resume.hidden = open || answer.status === "completed";
    }
    showOutcome(answer) {
      if (answer.start) { this.outcome.replaceChildren(); }
      const end = answer.end;
      if (!end) return;
      const before = end.eval_loss_before, after = end.eval_loss_after;
      if (before === undefined || before === null || after === undefined || after === null) return;
      const fall = make("div", "qr-fall");
      fall.append(make("span", "", "Evaluation loss "), make("b", "", before.toFixed(3)),
        make("span", "qr-arrow", " → "), make("b", "qr-after", after.toFixed(3)),
        make("span", "", ` nats a token (${after <= before ? "−" : "+"}`
          + `${Math.abs(after - before).toFixed(3)})`));
      this.outcome.replaceChildren(fall);
    }
    showSamples(samples) {
      if (this.samples.length === 0 && samples.length) this.sampleTable.replaceChildren();
      this.samples.push(...samples);
      if (!this.sampleTable.firstChild) {
        const table = make("table", "qr-samples"), body = make("tbody");
        const head = make("tr");
        head.append(make("th", "", "step"), make("th", "", "prompt"), make("th", "", "continued"));
        const top = make("thead");
        top.append(head);
        table.append(top, body);
        const wrap = make("div", "qr-scroll");
        wrap.append(table);
        this.sampleTable.append(make("h4", "", "Samples, before and since"), wrap);
      }
      const body = this.sampleTable.querySelector("tbody");
      for (const sample of samples) {
        const row = make("tr");
        row.append(make("td", "qr-num", String(sample.step ?? "")),
          make("td", "qr-prompt", sample.prompt ?? ""), make("td", "", sample.text ?? ""));
        body.append(row);
      }
    }
    async showMovement(movement) {
      const blocks = movement.blocks || [];
      if (!this.moved.firstChild) {
        this.moved.append(make("h4", "", "How far the trained tensors have moved, a bar a block"),
          make("div", "qr-plot qr-movement"));
      }
      this.movement = movement;
      const plot = this.moved.querySelector(".qr-movement");
      const data = [{ type: "bar", x: blocks.map((pair) => pair[0]), y: blocks.map((pair) => pair[1]),
        marker: { color: colour("accent") },
        hovertemplate: "block %{x}: norm of change %{y:.4g}<extra></extra>" }];
      const extra = { height: 150, x: { title: { text: "block", standoff: 6 } } };
      await window.Plotly.react(plot, data, { ...layout("block", extra), hovermode: "closest",
        bargap: 0.25 }, CONFIG);
    }
    async act(action) {
      for (const node of Object.values(this.buttons)) node.disabled = true;
      try {
        const answer = await this.server.act({ run: this.run, action });
        await this.tick();
        if (action === "stop" && !answer.error && this.root.dataset.status === "running") {
          this.reason.textContent = "Asked to stop: it saves what it has, then ends.";
        }
        if (answer.error) this.reason.textContent = answer.error;
      } finally {
        for (const node of Object.values(this.buttons)) node.disabled = false;
      }
    }
    async toggleLog() {
      this.log.hidden = !this.log.hidden;
      if (this.log.hidden) return;
      const found = await this.server.details({ run: this.run });
      this.log.textContent = found.log || "The worker has said nothing.";
      this.log.scrollTop = this.log.scrollHeight;
    }
    recolour() {
      if (!window.Plotly || !this.charts) return;
      this.charts.forEach((chart) => chart.recolour(window.Plotly));
      if (this.movement) this.showMovement(this.movement);
    }
  }

  window.QwenCharts = {
    mountRun: (component) => new RunView(component),
    tools: { make, button, plotly, layout, colour, thin, save, rounded, CONFIG, AXES },
  };
})();
