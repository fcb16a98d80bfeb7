/* The view of one run (Train and Runs tabs): progress, what can be done, curves, samples, movement.
   It asks for what is new since its offset, and draws it in place. */
(() => {
  "use strict";
  const IDLE_MS = 3000, SILENT_SECONDS = 60;
  // Drawing the loss takes a twentieth of the time (or 2 s lie between), however slow the machine or
  // many the tabs; the small charts are drawn at every fourth update.
  const SOONEST_MS = 700, LATEST_MS = 2000, PAUSES = 20, SMALL_EVERY = 4;
  const { make, button, choice, number, plotly, drawer, onTheme, save, rounded, duration, AXES } =
    window.QwenCharts.tools;
  const { Samples, Movement, Log, retryForm, describeForm } = window.QwenParts;
  const CHARTS = [
    { key: "loss", title: "Loss (nats a token)", lines: ["loss", "smooth", "eval"], main: true },
    { key: "learning_rate", title: "Learning rate", lines: ["learning_rate"] },
    { key: "gradient_norm", title: "Gradient norm", lines: ["gradient_norm"] },
    { key: "tokens_per_second", title: "Tokens a second", lines: ["tokens_per_second"], zero: true },
    { key: "memory_bytes", title: "Memory, highest so far", lines: ["memory_bytes"], bytes: true, zero: true },
  ];
  const WORDS = {
    queued: "Queued", starting: "Starting", running: "Training", saving: "Stopping",
    completed: "Completed", stopped: "Stopped", failed: "Failed", interrupted: "Interrupted",
  };
  const BAD = ["failed", "interrupted"];

  class RunView {
    constructor({ element, props, server, watch }) {
      Object.assign(this, { server, props, smoothing: 0.9, axis: "step", timer: null, asking: 0 });
      this.root = element.querySelector(".qr-view");
      this.address = this.root.dataset.plotly;
      this.root.view = this;
      this.show(props.value);
      watch("value", () => this.show(this.props.value));
      onTheme(() => this.recolour());
      document.addEventListener("visibilitychange", () => { if (!document.hidden) this.tick(); });
    }
    async show(run) {
      run = run || "";
      if (run === this.run) { if (run) this.tick(); return; }
      this.run = run;
      clearTimeout(this.timer);
      this.restart();
      this.ready = Boolean(drawer());
      this.start = this.epoch = null;
      if (!run) return this.empty();
      this.build();
      // Where the run stands is said at once; the curves follow when plotly.js is here.
      this.tick();
      if (!this.ready) this.load(run);
    }
    async load(run) {
      try {
        await plotly(this.address);
      } catch (error) {
        if (this.run === run) setTimeout(() => this.load(run), IDLE_MS);
        return;
      }
      if (this.run !== run) return;
      this.ready = true;
      this.tick();
    }
    restart() {
      this.pause = SOONEST_MS;
      this.untilSmall = 0;
      this.offset = 0;
      this.carry = {};
    }
    empty() {
      const note = make("div", "qr-empty"), runs = this.root.closest("#qr-opened");
      this.root.removeAttribute("data-status");
      if (runs) return this.root.replaceChildren();
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
      this.title = make("span", "qr-title");
      this.tags = make("span", "qr-tags");
      this.name = make("span", "qr-run", this.run);
      this.note = make("p", "qr-note");
      this.facts = make("div", "qr-facts");
      this.reason = make("span");
      this.mend = make("span", "qr-mend");
      this.line = make("p", "qr-reason");
      this.line.setAttribute("role", "status");
      this.line.append(this.reason, this.mend);
      const act = (action, question) => () => {
        if (!question || window.confirm(question)) this.act(action);
      };
      this.buttons = {
        stop: button("Stop", "", act("stop"), "Saves what it has, then ends"),
        kill: button("Kill", "", act("kill", "End the process at once? Steps since the last "
          + "checkpoint have to be done again."), "Ends the process at once"),
        resume: button("Resume", "", act("resume"), "Goes on from the last checkpoint"),
        retry: button("Retry …", "", () => this.openRetry(), "A new run with these settings, or with some changed"),
        describe: button("Edit …", "", () => this.openDescribe(), "Name, tags and note"),
        log: button("Log", "", () => this.log.toggle(), "The worker's log"),
        csv: button("CSV", "", () => this.csv(), "Download every recorded step as CSV"),
        delete: button("Delete", "", act("delete", `Delete the run ${this.run}? Its folder is removed.`),
          "Removes the run's folder"),
      };
      const actions = make("span", "qr-actions"), head = make("div", "qr-head");
      actions.append(...Object.values(this.buttons));
      const said = make("span", "qr-said");
      said.append(this.badge, this.title, this.tags, this.name);
      head.append(said, actions);
      this.form = make("div");
      this.log = new Log(this);
      this.outcome = make("div", "qr-outcome");
      this.charts = CHARTS.map((spec) => new window.QwenCharts.Chart(this, spec));
      const grid = make("div", "qr-grid");
      grid.append(...this.charts.slice(1).map((chart) => chart.node));
      this.samples = new Samples();
      this.movement = new Movement();
      this.root.replaceChildren(head, this.bar, this.facts, this.note, this.line, this.form,
        this.log.node, this.outcome, this.controls(), this.charts[0].node, this.samples.node, grid,
        this.movement.node);
    }
    controls() {
      const row = make("div", "qr-controls"), smooth = make("input"), label = make("label");
      Object.assign(smooth, { type: "range", min: 0, max: 0.99, step: 0.01, value: this.smoothing });
      const value = make("span", "qr-num", this.smoothing.toFixed(2));
      label.append("Smoothing ", smooth, value);
      smooth.addEventListener("input", () => { value.textContent = Number(smooth.value).toFixed(2); });
      smooth.addEventListener("change", () => {
        this.smoothing = Number(smooth.value);
        this.reload();
      });
      row.append(label, choice("Along", AXES, this.axis, (axis) => {
        this.axis = axis;
        this.reload(true);
      }), make("span", "qr-hint", "Drag to zoom, double-click to see all, click a name to hide its line."));
      return row;
    }
    reload(axisChanged) {
      this.restart();
      this.stale = { axis: axisChanged };
      this.tick();
    }
    async tick() {
      clearTimeout(this.timer);
      if (!this.run || !this.root.isConnected) return;
      const run = this.run, asking = ++this.asking;
      const shown = !document.hidden && this.root.offsetParent !== null;
      const current = () => run === this.run && asking === this.asking;
      let over = false;
      if (shown) {
        try {
          const answer = await this.server.poll({ run, offset: this.offset, carry: this.carry,
            smoothing: this.smoothing, axis: this.axis });
          if (!current()) return;
          over = await this.take(answer);
          await this.log.refresh();
        } catch (error) {
          if (!current()) return;
          this.offline();
        }
      }
      if (!current()) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.tick(), over || !shown ? IDLE_MS : this.pause);
    }
    offline() {
      this.reason.textContent = "The dashboard does not answer. The run goes on without it; this "
        + "page tries again every few moments.";
      this.mend.replaceChildren();
    }
    problem(text) {
      this.root.replaceChildren(make("p", "qr-reason qr-problem", text));
      return true;
    }
    /* Whether the run is over. */
    async take(answer) {
      if (answer.error) return this.problem(answer.error);
      const over = !["queued", "running"].includes(answer.status);
      this.say(answer, over);
      if (!this.ready) return over;
      const began = performance.now();
      if (answer.again) {
        // A resumed run went back to its checkpoint: drawn anew from the start.
        this.restart();
        this.stale = {};
        return false;
      }
      this.offset = answer.offset;
      this.carry = answer.carry;
      if (this.stale) {
        for (const chart of this.charts) chart.clear(this.stale.axis);
        this.samples.clear();
        this.movement.clear();
        this.stale = null;
      }
      await this.drawCharts(answer.lines, over);
      await this.movement.take(answer.movements);
      this.samples.take(answer.samples, over);
      if (answer.end || answer.start) this.showOutcome(answer.end);
      this.root.dataset.updates = Number(this.root.dataset.updates || 0) + 1;
      this.root.dataset.cost = (performance.now() - began).toFixed(1);
      const main = this.charts[0];
      if (main.drawn) this.root.dataset.points = main.plot.data[0].x.length;
      return over;
    }
    /* The loss at every update, and painted first; the small charts every few. */
    async drawCharts(lines, over) {
      const [main, ...small] = this.charts, began = performance.now();
      const all = over || this.untilSmall-- <= 0;
      if (all) this.untilSmall = SMALL_EVERY - 1;
      await main.take(lines);
      const took = performance.now() - began;
      this.pause = Math.min(LATEST_MS, Math.max(SOONEST_MS, PAUSES * took));
      await new Promise((painted) => setTimeout(painted));
      await Promise.all(small.map((chart) => chart.take(lines, all)));
    }
    say(answer, over) {
      const phase = answer.status === "running" && answer.stopping ? "saving"
        : answer.status === "running" && !answer.step && !answer.start && !this.start ? "starting"
          : answer.status;
      if (answer.start) this.start = answer.start;
      if (answer.epoch) this.epoch = answer.epoch;
      this.badge.textContent = WORDS[phase] || phase;
      const beat = this.badge.classList.contains("qr-beat") ? "" : " qr-beat";
      this.badge.className = `qr-badge qr-${answer.status}${beat}`;
      this.root.dataset.status = answer.status;
      this.title.textContent = answer.title;
      this.meta = answer.meta;
      this.tags.replaceChildren(...answer.meta.tags.map((tag) => make("span", "qr-tag", tag)));
      this.note.textContent = answer.meta.note;
      this.bar.value = answer.steps ? Math.min(1, answer.step / answer.steps) : 0;
      this.bar.dataset.status = answer.status;
      this.sayFacts(answer, over);
      this.sayReason(answer, phase);
      const show = { stop: !over, kill: answer.status === "running", delete: over,
        resume: over && answer.status !== "completed", retry: over };
      for (const [name, shown] of Object.entries(show)) this.buttons[name].hidden = !shown;
      this.buttons.stop.disabled = !!answer.stopping;
      this.buttons.stop.textContent = answer.status === "queued" ? "Cancel" : "Stop";
    }
    sayFacts(answer, over) {
      const share = answer.steps ? ` (${Math.floor((100 * answer.step) / answer.steps)} %)` : "";
      const some = (value, text) => value === null || value === undefined ? null : text(value);
      const facts = [
        [`${number.format(answer.step)} of ${number.format(answer.steps)}${share}`, "steps"],
        [some(this.epoch, (epoch) => rounded(epoch, 3)), "epoch"],
        [answer.elapsed ? duration(answer.elapsed) : null, "elapsed"],
        [over ? null : some(answer.remaining, duration), "remaining"],
        [some(answer.seconds_per_step, (s) => rounded(1 / s, 3)), "steps a second"],
        [some(answer.tokens_per_second, (t) => number.format(Math.round(t))), "tokens a second"],
        [this.start && (this.start.device_name || this.start.device), "device"],
      ].filter(([value]) => value);
      this.facts.replaceChildren(...facts.map(([value, label]) => {
        const fact = make("div", "qr-fact");
        fact.append(make("b", "", value), make("span", "", label));
        return fact;
      }));
    }
    sayReason(answer, phase) {
      const told = {
        saving: "It was asked to stop: it saves what it has, then ends.",
        starting: "The worker loads the model and prepares the data.",
        queued: this.queueWords(answer.place),
      }[phase];
      let text = answer.reason || told || "";
      if (phase === "saving") text = told;
      if (phase === "running" && answer.silent > SILENT_SECONDS) {
        text = `No sign of life for ${duration(answer.silent)}: a long step, or a worker that hangs.`;
      }
      if (this.reason.textContent !== text) this.reason.textContent = text;
      const bad = BAD.includes(answer.status), changes = answer.advice && answer.advice.changes;
      this.line.classList.toggle("qr-problem", bad);
      const key = bad ? JSON.stringify([changes]) : "";
      if (this.mend.dataset.key === key) return;
      this.mend.dataset.key = key;
      this.mend.replaceChildren();
      if (!bad) return;
      this.mend.append(button("Show the log", "qr-inline", () => this.log.toggle(true)));
      if (changes && Object.keys(changes).length) {
        const words = Object.entries(changes).map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`);
        this.mend.append(button(`Retry with ${words.join(", ")}`, "qr-inline",
          () => this.openRetry(changes)));
      }
    }
    queueWords(place) {
      if (!place) return "";
      if (!place.running.length && !place.before) return "The worker is being started.";
      const busy = place.running.length ? `${place.running.join(", ")} has the device. ` : "";
      return place.before ? `${busy}Number ${place.before + 1} in the queue.`
        : `${busy}This run is next.`;
    }
    showOutcome(end) {
      this.outcome.replaceChildren();
      const before = end?.eval_loss_before, after = end?.eval_loss_after;
      if (typeof before !== "number" || typeof after !== "number") return;
      const fall = make("div", "qr-fall"), change = after - before;
      fall.append(make("span", "", "Evaluation loss "), make("b", "", before.toFixed(3)),
        make("span", "qr-arrow", " → "), make("b", "qr-after", after.toFixed(3)),
        make("span", "", ` nats a token (${change <= 0 ? "−" : "+"}${Math.abs(change).toFixed(3)})`));
      this.outcome.replaceChildren(fall);
    }
    async act(action) {
      for (const node of Object.values(this.buttons)) node.disabled = true;
      try {
        const answer = await this.server.act({ run: this.run, action });
        if (action === "delete" && !answer.error) return this.open("");
        await this.tick();
        if (answer.error) this.reason.textContent = answer.error;
      } catch (error) {
        this.offline();
      } finally {
        for (const node of Object.values(this.buttons)) node.disabled = false;
      }
    }
    open(run) {
      this.props.value = run;
      this.show(run);
    }
    close() { this.form.replaceChildren(); }
    async openRetry(changes = {}) {
      const settings = await this.server.settings({ run: this.run });
      this.form.replaceChildren(retryForm(this, settings, changes, () => this.close()));
      this.form.querySelector("input, select").focus();
    }
    openDescribe() {
      this.form.replaceChildren(describeForm(this, this.meta || {}, () => this.close()));
    }
    async retry(changes) {
      const answer = await this.server.act({ run: this.run, action: "retry", changes });
      if (!answer.error) this.open(answer.run);
      return answer;
    }
    async describe(fields) {
      const answer = await this.server.act({ run: this.run, action: "describe", ...fields });
      if (!answer.error) { this.close(); this.tick(); }
      return answer;
    }
    async csv() { save(`${this.run}.csv`, await this.server.csv({ run: this.run }), "text/csv"); }
    recolour() {
      if (!drawer() || !this.charts) return;
      for (const chart of this.charts) chart.recolour();
      this.movement.draw();
    }
  }

  window.QwenCharts.mountRun = (component) => new RunView(component);
})();
