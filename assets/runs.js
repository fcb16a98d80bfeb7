/* The table of runs (Runs tab): sorted, filtered, ticked. All DOM is owned here; what changed in the
   list comes from a server function every few seconds while the tab is in view. */
(() => {
  "use strict";
  const REFRESH_MS = 2000, MOST_ROWS = 200, KEPT = "qwen-runs";
  const { make, button, number, save, rounded, duration } = window.QwenCharts.tools;
  const when = (seconds) => new Date(seconds * 1000).toLocaleString("en-GB",
    { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
  const millions = (count) => count === null || count === undefined ? "–"
    : count < 1e6 ? number.format(count) : `${rounded(count / 1e6, 3)} M`;
  const COLUMNS = [
    { key: "created", title: "begun", text: (r) => when(r.created), minor: true },
    { key: "name", title: "run" },
    { key: "plan", title: "plan", text: (r) => r.plan },
    { key: "model", title: "model", text: (r) => r.model.split("/").pop() },
    { key: "status", title: "status" },
    { key: "step", title: "steps", figure: true,
      text: (r) => `${number.format(r.step)} / ${number.format(r.steps)}` },
    { key: "trainable", title: "trains", figure: true, minor: true, text: (r) => millions(r.trainable) },
    { key: "learning_rate", title: "rate", figure: true, text: (r) => rounded(r.learning_rate, 3) },
    { key: "loss", title: "loss", figure: true, minor: true, text: (r) => rounded(r.loss) },
    { key: "eval_before", title: "eval before", figure: true, minor: true, text: (r) => rounded(r.eval_before) },
    { key: "eval_after", title: "eval after", figure: true, text: (r) => rounded(r.eval_after) },
    { key: "elapsed", title: "time", figure: true, text: (r) => duration(r.elapsed || null) },
  ];
  const called = (r) => r.name || r.run.slice("20261125-154210-".length);

  class RunTable {
    constructor({ element, props, server }) {
      Object.assign(this, { props, server, seen: "", records: new Map() });
      this.root = element.querySelector(".qr-list");
      this.recall();
      this.build();
      this.refresh();
      document.addEventListener("visibilitychange", () => { if (!document.hidden) this.refresh(); });
    }
    /* What was ticked, sought and opened is there again after a reload of this browser tab. */
    recall() {
      let kept = {};
      try { kept = JSON.parse(sessionStorage.getItem(KEPT)) || {}; } catch { /* not ours: begin anew */ }
      this.ticked = new Set(kept.ticked || []);
      this.sort = kept.sort || { key: "created", down: true };
      this.sought = kept.sought || "";
      this.opened = kept.opened || "";
    }
    keep() {
      sessionStorage.setItem(KEPT, JSON.stringify({ ticked: [...this.ticked], sort: this.sort,
        sought: this.query.value, opened: this.opened }));
    }
    build() {
      const tools = make("div", "qr-table-tools");
      this.query = make("input");
      Object.assign(this.query, { type: "search", value: this.sought,
        placeholder: "Filter: attention, failed, nano …" });
      this.query.setAttribute("aria-label", "Filter runs");
      this.query.addEventListener("input", () => { this.keep(); this.draw(); });
      this.found = make("span", "qr-found");
      this.found.setAttribute("role", "status");
      this.exports = make("span", "qr-actions");
      this.exports.append(
        button("Untick", "", () => { this.ticked.clear(); this.changed(); }, "Untick all runs"),
        button("CSV", "", () => this.save("csv"), "All steps of the ticked runs"),
        button("HTML report", "", () => this.save("html"), "One file that opens without the server"),
        button("Delete", "", () => this.remove(), "Delete the ticked runs"));
      tools.append(this.query, this.found, this.exports);
      this.table = make("table", "qr-runs");
      this.scroll = make("div", "qr-scroll qr-runs-scroll");
      this.scroll.tabIndex = 0;
      this.scroll.append(this.table);
      this.message = make("p", "qr-reason qr-problem");
      this.message.setAttribute("role", "status");
      this.none = make("div", "qr-empty");
      this.none.append(make("strong", "", "No runs yet"), make("p", "", "Launch one on the Train tab, "
        + "or from a terminal: python -m qwen_ui train nano --preset attention. Each is a row here: "
        + "sort, filter, tick several to lay them over each other."));
      this.none.hidden = true;
      this.over = new window.QwenOverlay(this.server, this.root.dataset.plotly);
      this.root.replaceChildren(tools, this.scroll, this.none, this.message, this.over.node);
    }
    async refresh() {
      clearTimeout(this.timer);
      if (!this.root.isConnected) return;
      if (!document.hidden && this.root.offsetParent !== null) {
        try {
          this.merge(await this.server.listing({ seen: this.seen }));
          this.message.textContent = this.problem || "";
        } catch (error) {
          this.message.textContent = "The dashboard does not answer; this page tries again.";
        }
      }
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.refresh(), REFRESH_MS);
    }
    merge(answer) {
      const first = !this.seen;
      if (answer.whole) this.records.clear();
      for (const record of answer.records) this.records.set(record.run, record);
      this.seen = answer.seen;
      // A run was removed: which one is not said, so the whole list is asked for.
      if (!answer.whole && this.records.size !== answer.total) { this.seen = ""; return this.refresh(); }
      if (!answer.records.length && !first) return;
      for (const run of this.ticked) if (!this.records.has(run)) this.ticked.delete(run);
      this.draw();
      if (!first) return;
      if (this.ticked.size) this.over.show([...this.ticked]);
      if (this.records.has(this.opened)) this.props.value = this.opened;
    }
    shown() {
      const words = this.query.value.toLowerCase().split(/\s+/).filter(Boolean);
      const text = (r) => [r.run, r.name, r.plan, r.model, r.status, r.note, r.data, ...r.tags]
        .join(" ").toLowerCase();
      const found = [...this.records.values()].filter((r) => words.every((word) => text(r).includes(word)));
      const { key, down } = this.sort, sign = down ? -1 : 1;
      const value = (r) => key === "name" ? called(r) : r[key];
      return found.sort((a, b) => {
        const x = value(a), y = value(b);
        if (x === null || x === undefined) return 1;
        if (y === null || y === undefined) return -1;
        return x < y ? -sign : x > y ? sign : 0;
      });
    }
    /* The lowest evaluation loss of the ticked runs, or of those in view where fewer are ticked. */
    best(rows) {
      const among = this.ticked.size > 1 ? [...this.records.values()].filter((r) => this.ticked.has(r.run)) : rows;
      const scored = among.filter((r) => r.eval_after !== null && r.status === "completed");
      return scored.length < 2 ? null
        : scored.reduce((a, b) => (b.eval_after < a.eval_after ? b : a)).run;
    }
    draw() {
      const all = this.shown(), rows = all.slice(0, MOST_ROWS), best = this.best(all);
      const count = this.records.size;
      this.found.textContent = count ? `${number.format(all.length)} of ${number.format(count)} runs`
        + (all.length > MOST_ROWS ? `, the first ${MOST_ROWS} shown` : "")
        + (this.ticked.size ? `, ${this.ticked.size} ticked` : "") : "";
      const head = make("tr"), top = make("thead"), body = make("tbody");
      head.append(make("th", "", ""), ...COLUMNS.map((column) => this.heading(column)));
      top.append(head);
      body.append(...rows.map((record) => this.row(record, best)));
      const held = document.activeElement?.dataset?.hold;
      this.table.replaceChildren(top, body);
      if (held) this.table.querySelector(`[data-hold="${CSS.escape(held)}"]`)?.focus();
      this.scroll.hidden = !count;
      this.none.hidden = !!count;
      this.query.hidden = this.exports.hidden = !count;
      for (const node of this.exports.children) node.disabled = !this.ticked.size;
    }
    heading(column) {
      const sorted = this.sort.key === column.key, sign = sorted ? (this.sort.down ? " ↓" : " ↑") : "";
      const cell = make("th", this.classes(column));
      const node = button(column.title + sign, "qr-sort", () => {
        this.sort = { key: column.key, down: sorted ? !this.sort.down : false };
        this.keep();
        this.draw();
      });
      node.dataset.hold = `sort ${column.key}`;
      cell.setAttribute("aria-sort", sorted ? (this.sort.down ? "descending" : "ascending") : "none");
      cell.append(node);
      return cell;
    }
    classes(column) {
      return [column.figure && "qr-figure", column.minor && "qr-minor", `qr-col-${column.key}`]
        .filter(Boolean).join(" ");
    }
    row(record, best) {
      const row = make("tr"), tick = make("input"), first = make("td");
      tick.type = "checkbox";
      tick.checked = this.ticked.has(record.run);
      tick.dataset.hold = `tick ${record.run}`;
      tick.setAttribute("aria-label", `Overlay ${called(record)}`);
      tick.addEventListener("change", () => {
        this.ticked[tick.checked ? "add" : "delete"](record.run);
        this.changed();
      });
      first.append(tick);
      row.append(first, ...COLUMNS.map((column) => this.cell(record, column, best)));
      row.classList.toggle("qr-ticked", tick.checked);
      row.classList.toggle("qr-current", record.run === this.opened);
      return row;
    }
    cell(record, column, best) {
      const cell = make("td", this.classes(column));
      if (column.key === "name") cell.append(...this.opener(record));
      else if (column.key === "status") {
        cell.append(make("span", `qr-badge qr-${record.status}`, record.status));
      } else cell.textContent = column.text(record);
      if (column.key === "plan" || column.key === "model") cell.title = record[column.key];
      if (column.key === "eval_after" && record.run === best) {
        cell.classList.add("qr-best");
        cell.prepend(make("span", "qr-best-sign", "best "));
      }
      return cell;
    }
    opener(record) {
      const open = button(called(record), "qr-open", () => this.open(record.run),
        `Open ${record.run} below`);
      open.dataset.hold = `open ${record.run}`;
      const nodes = [open, ...record.tags.map((tag) => make("span", "qr-tag", tag))];
      if (record.note) nodes.push(make("div", "qr-remark", record.note));
      if (["failed", "interrupted"].includes(record.status) && record.reason) {
        const why = make("div", "qr-remark qr-problem", record.reason);
        why.title = record.reason;
        nodes.push(why);
      }
      return nodes;
    }
    open(run) {
      this.opened = run;
      this.props.value = run;
      this.keep();
      this.draw();
      const below = document.querySelector("#qr-opened");
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      below?.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
    }
    changed() {
      this.keep();
      this.draw();
      this.over.show([...this.ticked]);
    }
    async remove() {
      const runs = [...this.ticked], many = runs.length === 1 ? "this run" : `these ${runs.length} runs`;
      if (!window.confirm(`Delete ${many}? Their folders are removed.`)) return;
      const answer = await this.server.remove({ runs });
      this.problem = answer.error || "";
      this.seen = "";
      await this.refresh();
      this.changed();
    }
    async save(format) {
      const text = await this.server.exported({ runs: [...this.ticked], format });
      save(`runs.${format}`, text, format === "csv" ? "text/csv" : "text/html");
    }
  }

  window.QwenRuns = { mount: (component) => new RunTable(component) };
})();
