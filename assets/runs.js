/* The table of runs and the overlay of those that are ticked (Runs tab). All DOM is owned here; the
   records come from a server function every few seconds while the tab is in view. */
(() => {
  "use strict";
  const REFRESH_MS = 2000, MOST_ROWS = 200;
  const { make, button, plotly, layout, colour, save, rounded, CONFIG, AXES } =
    window.QwenCharts.tools;
  const PALETTE = ["accent", "role-attention", "role-mlp", "role-norm", "role-head", "role-expert",
    "role-other", "ink"];
  const number = new Intl.NumberFormat("en-US");
  const when = (seconds) => new Date(seconds * 1000).toLocaleString("en-GB",
    { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const COLUMNS = [
    { key: "created", title: "begun", text: (r) => when(r.created) },
    { key: "name", title: "run", text: (r) => r.name || r.run, wide: true },
    { key: "plan", title: "plan", text: (r) => r.plan },
    { key: "model", title: "model", text: (r) => r.model },
    { key: "status", title: "status", text: (r) => r.status },
    { key: "step", title: "steps", text: (r) => `${number.format(r.step)} / ${number.format(r.steps)}` },
    { key: "learning_rate", title: "rate", text: (r) => rounded(r.learning_rate, 3) },
    { key: "loss", title: "loss", text: (r) => rounded(r.loss) },
    { key: "eval_before", title: "eval before", text: (r) => rounded(r.eval_before) },
    { key: "eval_after", title: "eval after", text: (r) => rounded(r.eval_after) },
    { key: "elapsed", title: "seconds", text: (r) => rounded(r.elapsed, 3) },
  ];

  class RunTable {
    constructor({ element, props, server }) {
      Object.assign(this, { props, server });
      this.root = element.querySelector(".qr-list");
      this.records = [];
      this.ticked = new Set();
      this.sort = { key: "created", down: true };
      this.axis = "step";
      this.build();
      this.refresh();
    }
    build() {
      const tools = make("div", "qr-table-tools");
      this.query = make("input");
      Object.assign(this.query, { type: "search", placeholder: "Filter: attention, failed, nano …" });
      this.query.setAttribute("aria-label", "Filter runs");
      this.query.addEventListener("input", () => this.draw());
      this.found = make("span", "qr-found");
      this.found.setAttribute("role", "status");
      this.exports = make("span", "qr-actions");
      this.exports.append(
        button("CSV", "", () => this.save("csv"), "All steps of the ticked runs"),
        button("HTML report", "", () => this.save("html"), "One file that opens without the server"),
        button("Delete", "", () => this.remove(), "Delete the ticked runs"));
      tools.append(this.query, this.found, this.exports);
      this.table = make("table", "qr-runs");
      const scroll = make("div", "qr-scroll qr-runs-scroll");
      scroll.tabIndex = 0;
      scroll.append(this.table);
      this.message = make("p", "qr-reason qr-problem");
      this.message.setAttribute("role", "status");
      this.over = make("section", "qr-section qr-overlay");
      this.over.hidden = true;
      this.root.replaceChildren(tools, scroll, this.message, this.over);
    }
    async refresh() {
      if (!this.root.isConnected) return;
      if (!document.hidden && this.root.offsetParent !== null) {
        try {
          const records = await this.server.listing({});
          const text = JSON.stringify(records);
          if (text !== this.last) {
            this.last = text;
            this.records = records;
            this.draw();
          }
          this.message.textContent = this.problem || "";
        } catch (error) {
          this.message.textContent = "The dashboard does not answer; this page tries again.";
        }
      }
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.refresh(), REFRESH_MS);
    }
    shown() {
      const words = this.query.value.toLowerCase().split(/\s+/).filter(Boolean);
      const text = (r) => [r.run, r.name, r.plan, r.model, r.status, r.note, r.data, ...r.tags]
        .join(" ").toLowerCase();
      const found = this.records.filter((r) => words.every((word) => text(r).includes(word)));
      const { key, down } = this.sort, sign = down ? -1 : 1;
      const value = (r) => key === "name" ? r.name || r.run : r[key];
      return found.sort((a, b) => {
        const x = value(a), y = value(b);
        if (x === null || x === undefined) return 1;
        if (y === null || y === undefined) return -1;
        return x < y ? -sign : x > y ? sign : 0;
      });
    }
    best() {
      const scored = this.records.filter((r) => r.eval_after !== null
        && (!this.ticked.size || this.ticked.has(r.run)));
      return scored.length < 2 ? null
        : scored.reduce((a, b) => (b.eval_after < a.eval_after ? b : a)).run;
    }
    draw() {
      const all = this.shown(), rows = all.slice(0, MOST_ROWS), best = this.best();
      this.found.textContent = this.records.length
        ? `${number.format(all.length)} of ${number.format(this.records.length)} runs`
          + (all.length > MOST_ROWS ? `, the first ${MOST_ROWS} shown` : "")
        : "No runs yet. Launch one on the Train tab.";
      const head = make("tr");
      head.append(make("th", "", ""));
      for (const column of COLUMNS) head.append(this.heading(column));
      const top = make("thead"), body = make("tbody");
      top.append(head);
      body.append(...rows.map((record) => this.row(record, best)));
      const held = document.activeElement?.dataset?.hold;
      this.table.replaceChildren(top, body);
      if (held) this.table.querySelector(`[data-hold="${CSS.escape(held)}"]`)?.focus();
      this.table.hidden = !this.records.length;
      for (const node of this.exports.children) node.disabled = !this.ticked.size;
    }
    heading(column) {
      const cell = make("th"), sorted = this.sort.key === column.key;
      const sign = sorted ? (this.sort.down ? " ↓" : " ↑") : "";
      const node = button(column.title + sign, "qr-sort", () => {
        this.sort = { key: column.key, down: sorted ? !this.sort.down : false };
        this.draw();
      });
      node.dataset.hold = `sort ${column.key}`;
      cell.setAttribute("aria-sort", sorted ? (this.sort.down ? "descending" : "ascending") : "none");
      cell.append(node);
      return cell;
    }
    row(record, best) {
      const row = make("tr"), tick = make("input");
      tick.type = "checkbox";
      tick.checked = this.ticked.has(record.run);
      tick.dataset.hold = `tick ${record.run}`;
      tick.setAttribute("aria-label", `Overlay ${record.name || record.run}`);
      tick.addEventListener("change", () => {
        this.ticked[tick.checked ? "add" : "delete"](record.run);
        this.draw();
        this.overlay();
      });
      const first = make("td");
      first.append(tick);
      row.append(first);
      for (const column of COLUMNS) {
        const cell = make("td", column.wide ? "" : "qr-num");
        if (column.wide) cell.append(this.opener(record));
        else if (column.key === "status") {
          cell.append(make("span", `qr-badge qr-${record.status}`, record.status));
        } else cell.textContent = column.text(record);
        if (column.key === "eval_after" && record.run === best) {
          cell.classList.add("qr-best");
          cell.append(" best");
        }
        row.append(cell);
      }
      if (record.reason) row.title = record.reason;
      return row;
    }
    opener(record) {
      const wrap = make("div", "qr-name");
      const open = button(record.name || record.run, "qr-open", () => {
        this.opened = record.run;
        this.props.value = record.run;
      }, "Open this run below");
      open.dataset.hold = `open ${record.run}`;
      const edit = button("Edit", "qr-tool", () => this.edit(record, wrap), "Name, tags and note");
      const again = button("Retry", "qr-tool", () => this.act({ action: "retry", run: record.run }),
        "A new run with the same settings");
      wrap.append(open, ...record.tags.map((tag) => make("span", "qr-tag", tag)), edit, again);
      if (record.note) wrap.append(make("div", "qr-note", record.note));
      return wrap;
    }
    edit(record, wrap) {
      const field = (label, value) => {
        const input = make("input");
        Object.assign(input, { type: "text", value, placeholder: label, maxLength: 5000 });
        input.setAttribute("aria-label", label);
        return input;
      };
      const name = field("Name", record.name), tags = field("Tags, by comma", record.tags.join(", "));
      const note = field("Note", record.note);
      const form = make("form", "qr-edit");
      const keep = button("Save", "", () => {});
      keep.type = "submit";
      form.append(name, tags, note, keep);
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.act({ action: "annotate", run: record.run, name: name.value, note: note.value,
          tags: tags.value.split(",") });
      });
      wrap.replaceChildren(form);
      name.focus();
    }
    async act(asked) {
      const answer = await this.server.modify(asked);
      this.problem = answer.error || "";
      this.last = null;
      await this.refresh();
    }
    async remove() {
      if (!window.confirm(`Delete ${this.ticked.size} run(s)? Their folders are removed.`)) return;
      for (const run of [...this.ticked]) {
        await this.act({ action: "delete", run });
        if (!this.problem) this.ticked.delete(run);
      }
      this.draw();
      this.overlay();
    }
    async save(format) {
      const text = await this.server.exported({ runs: [...this.ticked], format });
      save(`runs.${format}`, text, format === "csv" ? "text/csv" : "text/html");
    }
    async overlay() {
      const runs = [...this.ticked];
      this.over.hidden = !runs.length;
      if (!runs.length) return;
      const asking = this.asking = (this.asking || 0) + 1;
      const [lib, answer] = await Promise.all([plotly(this.root.dataset.plotly),
        this.server.overlaid({ runs, axis: this.axis })]);
      if (asking !== this.asking) return;
      if (answer.error) { this.problem = answer.error; return; }
      if (!this.over.firstChild) this.buildOverlay();
      await this.drawLines(lib, answer.runs);
      this.drawDifferences(answer);
      this.over.dataset.runs = answer.runs.length;
    }
    buildOverlay() {
      const axis = make("select");
      for (const [value, text] of Object.entries(AXES)) {
        const option = make("option", "", text);
        option.value = value;
        axis.append(option);
      }
      axis.addEventListener("change", () => { this.axis = axis.value; this.overlay(); });
      const along = make("label", "", "Along ");
      along.append(axis);
      const controls = make("div", "qr-controls");
      controls.append(along, make("span", "", "Lines are smoothed training loss; dots are evaluations."));
      this.plot = make("div", "qr-plot qr-overlay-plot");
      this.unlike = make("div", "qr-unlike");
      this.over.append(make("h4", "", "Overlay"), controls, this.plot, this.unlike);
    }
    async drawLines(lib, runs) {
      const data = [];
      runs.forEach((run, row) => {
        const paint = colour(PALETTE[row % PALETTE.length]);
        const style = { name: run.name, legendgroup: run.run, hovertemplate: "%{y:.5g}" };
        for (const [key, more] of [["smooth", { mode: "lines", line: { color: paint, width: 2 } }],
          ["eval", { mode: "lines+markers", marker: { color: paint, size: 8 }, showlegend: false,
            line: { color: paint, width: 1, dash: "dot" } }]]) {
          const line = run.lines[key];
          if (line) data.push({ type: "scatter", x: line[0], y: line[1], ...style, ...more });
        }
      });
      const extra = { height: 360, legend: true, top: 30, revision: this.axis };
      await lib.react(this.plot, data, layout(this.axis, extra), CONFIG);
    }
    drawDifferences(answer) {
      const nodes = [make("h4", "", "Where the settings differ")];
      if (answer.runs.length < 2) nodes.length = 0;
      else if (!answer.differences.length) nodes.push(make("p", "", "Nowhere: the settings are alike."));
      else {
        const table = make("table", "qr-differences"), head = make("tr"), top = make("thead");
        head.append(make("th", "", "setting"), ...answer.runs.map((run) => make("th", "", run.name)));
        top.append(head);
        const body = make("tbody");
        for (const row of answer.differences) {
          const line = make("tr"), usual = mode(row.values);
          line.append(make("td", "", row.setting), ...row.values.map((value) =>
            make("td", value === usual ? "" : "qr-differs", value)));
          body.append(line);
        }
        table.append(top, body);
        const scroll = make("div", "qr-scroll");
        scroll.append(table);
        nodes.push(scroll);
      }
      this.unlike.replaceChildren(...nodes);
    }
  }
  /* The value that most of them share; null where each stands alone. */
  const mode = (values) => {
    const counts = new Map();
    for (const value of values) counts.set(value, (counts.get(value) || 0) + 1);
    const [value, count] = [...counts].sort((a, b) => b[1] - a[1])[0];
    return count > 1 ? value : null;
  };

  window.QwenRuns = { mount: (component) => new RunTable(component) };
})();
