/* Several runs over each other (Runs tab): one figure's lines, labelled at their ends, and where
   their settings differ. Runs that go on are drawn on. */
(() => {
  "use strict";
  const REFRESH_MS = 4000;
  const { make, button, choice, plotly, drawer, layout, onTheme, colour, picture, rounded, last,
    CONFIG, AXES } =
    window.QwenCharts.tools;
  const PALETTE = ["accent", "role-attention", "role-mlp", "role-norm", "role-head", "role-expert",
    "role-other", "ink"];
  const DASHES = ["solid", "dash", "dashdot"];
  const FIGURES = { loss: "loss", learning_rate: "learning rate", gradient_norm: "gradient norm",
    tokens_per_second: "tokens a second", memory_bytes: "memory (bytes)" };

  /* The value that most of them share; null where each stands alone. */
  const usual = (values) => {
    const counts = new Map();
    for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
    const [value, count] = [...counts].sort((a, b) => b[1] - a[1])[0];
    return count > 1 ? value : null;
  };

  /* What all names begin with is said once, in the table: labels have little room. */
  const tails = (names) => {
    if (names.length < 2) return names;
    let shared = names[0].length;
    for (const name of names) while (!name.startsWith(names[0].slice(0, shared))) shared--;
    const cut = names[0].slice(0, shared).lastIndexOf("-") + 1;
    return cut > 3 ? names.map((name) => `… ${name.slice(cut)}`) : names;
  };

  class Overlay {
    constructor(server, address) {
      Object.assign(this, { server, address, runs: [], axis: "step", figure: "loss", log: false,
        hidden: new Set(), asking: 0 });
      this.node = make("section", "qr-section qr-overlay");
      this.node.hidden = true;
    }
    show(runs) {
      this.runs = runs;
      this.node.hidden = !runs.length;
      return this.refresh();
    }
    async refresh() {
      clearTimeout(this.timer);
      if (!this.runs.length) return;
      const asking = ++this.asking;
      let again = true;
      if (!document.hidden && this.node.offsetParent !== null) {
        const [, answer] = await Promise.all([plotly(this.address), this.server.overlaid({
          runs: this.runs, axis: this.axis, figure: this.figure })]);
        if (asking !== this.asking) return;
        if (!this.plot) this.build();
        this.wrong.textContent = answer.error || "";
        if (answer.error) return;
        await this.draw(answer.runs);
        this.drawDifferences(answer);
        this.node.dataset.runs = answer.runs.length;
        again = answer.runs.some((run) => !run.over);
      }
      if (again && asking === this.asking) {
        this.timer = setTimeout(() => this.refresh(), REFRESH_MS);
      }
    }
    build() {
      const controls = make("div", "qr-controls"), tools = make("span", "qr-tools");
      const log = button("log", "qr-tool", () => {
        this.log = !this.log;
        log.setAttribute("aria-pressed", String(this.log));
        drawer().relayout(this.plot, { "yaxis.type": this.log ? "log" : "linear",
          "yaxis.autorange": true });
      }, "Logarithmic scale");
      log.setAttribute("aria-pressed", "false");
      tools.append(log);
      for (const format of ["png", "svg"]) {
        tools.append(button(format.toUpperCase(), "qr-tool",
          () => picture(this.plot, format, `runs-${this.figure}`, FIGURES[this.figure])));
      }
      this.hint = make("span", "qr-hint");
      controls.append(choice("Compare", FIGURES, this.figure, (figure) => {
        this.figure = figure;
        this.refresh();
      }), choice("along", AXES, this.axis, (axis) => { this.axis = axis; this.refresh(); }),
      this.hint, tools);
      this.plot = make("div", "qr-plot qr-overlay-plot");
      onTheme(() => this.shown && this.draw(this.shown));
      this.labels = new window.QwenCharts.EndLabels(this.plot, (run) => this.toggle(run));
      const frame = make("div", "qr-frame");
      frame.append(this.plot, this.labels.node);
      this.unlike = make("div", "qr-unlike");
      this.wrong = make("p", "qr-reason qr-problem");
      this.node.append(make("h4", "", "Over each other"), this.wrong, controls, frame, this.unlike);
    }
    paint(row) {
      return { colour: colour(PALETTE[row % PALETTE.length]),
        dash: DASHES[Math.floor(row / PALETTE.length) % DASHES.length] };
    }
    toggle(run) {
      if (!this.hidden.delete(run)) this.hidden.add(run);
      this.draw(this.shown);
    }
    async draw(runs) {
      const data = [];
      this.shown = runs;
      this.hint.textContent = this.figure === "loss"
        ? "Lines: training loss, smoothed. Dots: evaluation loss." : "";
      runs.forEach((run, row) => {
        const { colour: paint, dash } = this.paint(row);
        const style = { type: "scatter", name: run.name, hovertemplate: "%{y:.5g}",
          visible: this.hidden.has(run.run) ? "legendonly" : true };
        for (const [key, line] of Object.entries(run.lines)) {
          const dots = key === "eval";
          data.push({ ...style, x: line[0], y: line[1], mode: dots ? "lines+markers" : "lines",
            name: dots ? `${run.name}, evaluation` : run.name, marker: { color: paint, size: 7 },
            line: dots ? { color: paint, width: 1, dash: "dot" } : { color: paint, width: 2, dash } });
        }
      });
      const extra = { height: 380, right: 190, revision: `${this.axis} ${this.figure}`,
        x: { rangemode: "tozero" }, y: { type: this.log ? "log" : "linear" } };
      const first = !this.plot._fullLayout;
      await drawer().react(this.plot, data, layout(this.axis, extra), CONFIG);
      if (first) this.plot.on("plotly_afterplot", () => this.labels.place());
      const names = tails(runs.map((run) => run.name));
      this.labels.set(runs.map((run, row) => {
        const line = run.lines[this.figure === "loss" ? "smooth" : this.figure] || run.lines.eval;
        return { key: run.run, name: names[row], value: line ? last(line[1]) : null,
          text: line ? rounded(last(line[1])) : "", colour: this.paint(row).colour,
          hidden: this.hidden.has(run.run) };
      }).filter((label) => label.value !== null));
    }
    drawDifferences(answer) {
      const key = JSON.stringify([answer.runs.map((run) => run.name), answer.differences]);
      if (key === this.drawnKey) return;
      this.drawnKey = key;
      const nodes = [make("h4", "", "Where settings and plans differ")];
      if (answer.runs.length < 2) nodes.length = 0;
      else if (!answer.differences.length) {
        nodes.push(make("p", "qr-hint", "Nowhere: they are alike in every setting."));
      } else nodes.push(this.differenceTable(answer));
      this.unlike.replaceChildren(...nodes);
    }
    differenceTable(answer) {
      const table = make("table", "qr-differences"), head = make("tr"), top = make("thead");
      head.append(make("th", "", "setting"), ...answer.runs.map((run, row) => {
        const cell = make("th", "", run.name), dot = make("i", "qr-dot");
        dot.style.background = this.paint(row).colour;
        cell.prepend(dot);
        return cell;
      }));
      top.append(head);
      const body = make("tbody");
      for (const row of answer.differences) {
        const line = make("tr"), common = usual(row.values);
        line.append(make("td", "qr-setting", row.setting.replaceAll("_", " ")),
          ...row.values.map((value) => make("td", value === common ? "" : "qr-differs", value)));
        body.append(line);
      }
      table.append(top, body);
      const scroll = make("div", "qr-scroll");
      scroll.append(table);
      return scroll;
    }
  }

  window.QwenOverlay = Overlay;
})();
