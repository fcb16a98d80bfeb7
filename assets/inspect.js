/* The module tree of the Inspect tab. All of its DOM is owned here: an empty shell comes from the
   page, the rows come once from a server function, and only the rows in view are drawn. It is a
   WAI-ARIA tree with one tab stop: the active row is named by aria-activedescendant, so that rows
   can come and go while the focus stays. */
(() => {
  "use strict";
  const ROW_HEIGHT = 28;
  const MARGIN = 8; // rows drawn beyond each edge
  const MODULE = 0, TENSOR = 1, FOLD = 2;
  const FROZEN = 0, PARTLY = 1, TRAINS = 2;
  const STATES = ["frozen", "partly trained", "trained"];
  const number = new Intl.NumberFormat("en-US");

  const short = (count) => {
    for (const [limit, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"]]) {
      if (count >= limit) return `${threeDigits(count / limit)} ${unit}`;
    }
    return count >= 1e5 ? `${(count / 1e3).toFixed(0)} K` : number.format(count);
  };
  const shortBytes = (count) => {
    for (const [limit, unit] of [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]) {
      if (count >= limit) return `${threeDigits(count / limit)} ${unit}`;
    }
    return `${count} B`;
  };
  const threeDigits = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
  const percent = (part, all) => {
    const share = all ? (100 * part) / all : 0;
    if (share === 0) return "0 %";
    return share < 0.01 ? "< 0.01 %" : `${share.toFixed(share < 1 ? 2 : 1)} %`;
  };

  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  /* The rows of one model and which of them are open, found and visible. No DOM. */
  class TreeModel {
    constructor(record) {
      Object.assign(this, record.rows);
      this.source = record.source;
      this.stack = record.stack;
      this.blocks = record.blocks;
      this.total = record.total;
      this.length = this.name.length;
      this.end = new Uint32Array(this.length); // first row behind the subtree
      this.parent = new Int32Array(this.length);
      this.open = new Uint8Array(this.length);
      this.searchOpen = null;
      this.match = null;
      this.shown = null;
      this.matches = 0;
      this.link();
      this.openFirst(record.stack);
      this.texts = null;
      this.state = new Uint8Array(this.length); // of the plan: FROZEN, PARTLY or TRAINS
      this.refresh();
    }
    /* What a plan trains: a tensor by its first name, a module by what is below it. */
    showTrained(names) {
      const chosen = new Set(names);
      const trained = new Uint32Array(this.length), all = new Uint32Array(this.length);
      for (let row = this.length - 1; row >= 0; row--) {
        if (this.type[row] === TENSOR) {
          all[row] = 1;
          trained[row] = chosen.has(this.tied[row] || this.name[row]) ? 1 : 0;
        }
        if (this.parent[row] >= 0) {
          all[this.parent[row]] += all[row];
          trained[this.parent[row]] += trained[row];
        }
        this.state[row] = !trained[row] ? FROZEN : trained[row] === all[row] ? TRAINS : PARTLY;
      }
    }
    link() {
      const path = [];
      for (let row = 0; row < this.length; row++) {
        while (path.length > this.depth[row]) this.end[path.pop()] = row;
        this.parent[row] = path.length ? path[path.length - 1] : -1;
        path.push(row);
      }
      while (path.length) this.end[path.pop()] = this.length;
    }
    /* Open what leads to the blocks, so that the first sight is the whole model. */
    openFirst(stack) {
      this.open[0] = 1;
      for (let row = 1; row < this.length; row++) {
        if (this.type[row] === MODULE && (`${stack}.`).startsWith(`${this.name[row]}.`)) {
          this.open[row] = 1;
        }
      }
    }
    hasChildren(row) { return this.end[row] > row + 1; }
    isOpen(row) { return (this.searchOpen || this.open)[row] === 1; }
    setOpen(row, open) { (this.searchOpen || this.open)[row] = open ? 1 : 0; this.refresh(); }
    openAll(open) {
      const state = this.searchOpen || this.open;
      state.fill(open ? 1 : 0);
      state[0] = 1;
      this.refresh();
    }
    openPath(row) {
      for (let up = this.parent[row]; up >= 0; up = this.parent[up]) {
        (this.searchOpen || this.open)[up] = 1;
      }
      this.refresh();
    }
    /* The visible rows in order, and where each of them stands. */
    refresh() {
      const visible = [];
      const hidden = (row) => this.shown && !this.shown[row];
      for (let row = 0; row < this.length;) {
        if (hidden(row)) { row = this.end[row]; continue; }
        visible.push(row);
        row = this.isOpen(row) ? row + 1 : this.end[row];
      }
      this.visible = visible;
      this.place = new Int32Array(this.length).fill(-1);
      visible.forEach((row, place) => { this.place[row] = place; });
      this.countSiblings();
    }
    countSiblings() {
      this.siblings = new Int32Array(this.length + 1); // by parent; the root's parent is -1
      this.position = new Int32Array(this.length);
      for (const row of this.visible) {
        this.position[row] = ++this.siblings[this.parent[row] + 1];
      }
    }
    text(row) {
      if (!this.texts) {
        this.texts = this.name.map((name, i) =>
          `${name}\n${this.type[i] === TENSOR ? "" : this.what[i]}\n${this.role[i]}`.toLowerCase());
      }
      return this.texts[row];
    }
    /* Words must all occur (role:norm and kind:q_proj.bias narrow); a whole number is an index in
       the name, so that 2 takes neither 24 nor Qwen2. A regular expression is tried on the full
       name. Returns "" or what is wrong with the expression. */
    search(query, asRegex) {
      query = query.trim();
      if (!query) {
        this.searchOpen = this.match = this.shown = null;
        this.refresh();
        return "";
      }
      let test;
      if (asRegex) {
        let pattern;
        try { pattern = new RegExp(query); } catch (error) { return String(error.message); }
        test = (row) => pattern.test(this.name[row]);
      } else {
        test = this.wordTest(query.toLowerCase().split(/\s+/));
      }
      this.mark(test);
      return "";
    }
    wordTest(words) {
      const tests = words.map((word) => {
        const [field, value] = word.split(/:(.*)/s);
        if (field === "role" && value) return (row) => this.role[row].startsWith(value);
        if (field === "kind" && value) {
          return (row) => this.type[row] === TENSOR &&
            `.${this.name[row].toLowerCase()}`.endsWith(`.${value}`);
        }
        if (field === "class" && value) {
          return (row) => this.type[row] !== TENSOR && this.what[row].toLowerCase().includes(value);
        }
        if (field === "block" && /^\d+$/.test(value || "")) {
          const start = `${this.stack}.${value}.`;
          return (row) => `${this.name[row]}.`.startsWith(start);
        }
        if (/^\d+$/.test(word)) return (row) => `.${this.name[row]}.`.includes(`.${word}.`);
        return (row) => this.text(row).includes(word);
      });
      return (row) => tests.every((check) => check(row));
    }
    mark(test) {
      this.match = new Uint8Array(this.length);
      this.shown = new Uint8Array(this.length);
      this.searchOpen = new Uint8Array(this.length);
      this.matches = 0;
      for (let row = 0; row < this.length; row++) {
        if (this.type[row] === FOLD || !test(row)) continue;
        this.match[row] = this.shown[row] = 1;
        this.matches += 1;
        for (let up = this.parent[row]; up >= 0 && !this.searchOpen[up]; up = this.parent[up]) {
          this.searchOpen[up] = this.shown[up] = 1;
        }
      }
      this.refresh();
    }
    /* Names of the tensors that were found, or that lie below a row. */
    matchedTensors() {
      return this.tensors(0, this.length, (row) => this.match[row]);
    }
    tensorsOf(row) { return this.tensors(row, this.end[row], () => true); }
    tensors(from, to, keep) {
      const names = [];
      for (let row = from; row < to; row++) {
        if (this.type[row] === TENSOR && !this.tied[row] && keep(row)) names.push(this.name[row]);
      }
      return names;
    }
    /* Where a name lies: its block (0 outside the blocks) and its path inside. */
    whereIs(name) {
      const rest = name.startsWith(`${this.stack}.`) ? name.slice(this.stack.length + 1) : "";
      const [index, ...inside] = rest.split(".");
      if (!/^\d+$/.test(index)) return { block: 0, inside: "" };
      return { block: Number(index), inside: inside.join(".") };
    }
    /* Blocks that are folded into one row look alike: one drawing serves all of them. */
    formOf(block) {
      const row = this.rowOf(`${this.stack}.${block}`);
      const up = row < 0 ? -1 : this.parent[row];
      return up >= 0 && this.type[up] === FOLD ? `fold ${up}` : `block ${block}`;
    }
    rowOf(name) {
      for (let row = 0; row < this.length; row++) {
        if (this.type[row] !== FOLD && this.name[row] === name) return row;
      }
      return -1;
    }
  }

  /* The tree on the page: draws the rows in view, answers keys and clicks. */
  class TreeView {
    constructor(root, onSelect) {
      this.root = root; // the scrolling element, role=tree
      this.canvas = root.querySelector(".qi-canvas");
      this.onSelect = onSelect;
      this.model = null;
      this.active = 0;
      this.drawn = new Map();
      this.typed = new window.QwenTypeahead(600);
      root.addEventListener("scroll", () => this.draw(), { passive: true });
      root.addEventListener("keydown", (event) => this.onKey(event));
      root.addEventListener("click", (event) => this.onClick(event));
      root.addEventListener("dblclick", (event) => this.onDoubleClick(event));
      new ResizeObserver(() => this.draw()).observe(root);
    }
    show(model) {
      this.model = model;
      this.root.scrollTop = 0;
      this.select(0, false);
      this.redraw();
    }
    redraw() {
      this.root.dataset.rows = this.model.length;
      this.canvas.style.height = `${this.model.visible.length * ROW_HEIGHT}px`;
      for (const node of this.drawn.values()) node.remove();
      this.drawn.clear();
      this.draw();
    }
    draw() {
      if (!this.model) return;
      const { visible } = this.model;
      const first = Math.max(0, Math.floor(this.root.scrollTop / ROW_HEIGHT) - MARGIN);
      const last = Math.min(visible.length,
        Math.ceil((this.root.scrollTop + this.root.clientHeight) / ROW_HEIGHT) + MARGIN);
      const wanted = new Set(visible.slice(first, last));
      if (this.model.place[this.active] >= 0) wanted.add(this.active);
      for (const [row, node] of this.drawn) {
        if (!wanted.has(row)) { node.remove(); this.drawn.delete(row); }
      }
      for (const row of wanted) {
        if (!this.drawn.has(row)) {
          const node = this.rowNode(row);
          this.drawn.set(row, node);
          this.canvas.append(node);
        }
      }
    }
    rowNode(row) {
      const model = this.model;
      const type = model.type[row];
      const node = make("div", `qi-row ${["is-module", "is-tensor", "is-fold"][type]}`);
      node.id = `qi-row-${row}`;
      node.dataset.row = row;
      node.style.top = `${model.place[row] * ROW_HEIGHT}px`;
      node.setAttribute("role", "treeitem");
      node.setAttribute("aria-level", model.depth[row] + 1);
      node.setAttribute("aria-setsize", model.siblings[model.parent[row] + 1]);
      node.setAttribute("aria-posinset", model.position[row]);
      node.setAttribute("aria-selected", row === this.active);
      if (model.hasChildren(row)) node.setAttribute("aria-expanded", model.isOpen(row));
      node.setAttribute("aria-label", this.spoken(row));
      if (model.match && model.match[row]) node.classList.add("is-match");
      node.append(this.stateCell(row), this.nameCell(row), ...this.figures(row));
      return node;
    }
    spoken(row) {
      const model = this.model;
      const tied = model.tied[row] ? `, the same tensor as ${model.tied[row]}` : "";
      const role = model.role[row] ? `, ${model.role[row]}` : "";
      const state = model.count[row] ? `, ${STATES[model.state[row]]}` : "";
      return `${model.label[row]}, ${model.what[row] ? `${model.what[row]}, ` : ""}` +
        `${number.format(model.count[row])} parameters${role}${tied}${state}`;
    }
    stateCell(row) {
      const state = this.model.count[row] ? this.model.state[row] : FROZEN;
      const cell = make("span", `qi-state ${["", "partly", "trains"][state]}`);
      if (state) cell.title = `${state === TRAINS ? "Trained" : "Partly trained"} by the plan`;
      return cell;
    }
    nameCell(row) {
      const model = this.model;
      const cell = make("span", "qi-name");
      cell.style.paddingLeft = `${model.depth[row] * 16 + 4}px`;
      cell.append(make("span", `qi-twist${model.hasChildren(row) ? " can" : ""}`));
      const dot = make("span", "qi-dot");
      if (model.role[row]) dot.style.background = `var(--q-role-${model.role[row]})`;
      const label = make("span", "qi-label", model.label[row]);
      label.title = model.name[row];
      cell.append(dot, label);
      if (model.tied[row]) cell.append(make("span", "qi-tied", `= ${model.tied[row]}`));
      if (model.type[row] === FOLD && model.what[row]) {
        cell.append(make("span", "qi-layer-type", model.what[row]));
      }
      return cell;
    }
    figures(row) {
      const model = this.model;
      const what = make("span", "qi-what", model.what[row]);
      what.title = model.what[row];
      const count = make("span", "qi-count", short(model.count[row]));
      count.title = `${number.format(model.count[row])} parameters`;
      const bytes = make("span", "qi-bytes", shortBytes(model.bytes[row]));
      bytes.title = `${number.format(model.bytes[row])} bytes`;
      const share = make("span", "qi-share", percent(model.count[row], model.total));
      const bar = make("span", "qi-bar");
      const fill = make("i");
      fill.style.width = `${model.total ? (100 * model.count[row]) / model.total : 0}%`;
      if (model.role[row]) fill.style.background = `var(--q-role-${model.role[row]})`;
      bar.append(fill);
      const cells = [count, bytes, share, bar];
      return model.type[row] === FOLD ? cells : [what, ...cells]; // a fold's name takes two columns
    }
    select(row, reveal = true) {
      const before = this.drawn.get(this.active);
      if (before) before.setAttribute("aria-selected", "false");
      this.active = row;
      if (reveal) this.reveal(row);
      this.draw();
      const now = this.drawn.get(row);
      if (now) now.setAttribute("aria-selected", "true");
      this.root.setAttribute("aria-activedescendant", `qi-row-${row}`);
      this.onSelect(row);
    }
    reveal(row) {
      const top = this.model.place[row] * ROW_HEIGHT;
      const view = this.root;
      if (top < view.scrollTop) view.scrollTop = top;
      const bottom = top + ROW_HEIGHT - view.clientHeight;
      if (bottom > view.scrollTop) view.scrollTop = bottom;
    }
    /* Show a module or tensor by its name, wherever it is folded away. */
    go(name) {
      const row = this.model.rowOf(name);
      if (row < 0) return;
      this.model.openPath(row);
      this.redraw();
      this.select(row);
    }
    toggle(row, open = !this.model.isOpen(row)) {
      if (!this.model.hasChildren(row)) return;
      this.model.setOpen(row, open);
      if (this.model.place[this.active] < 0) this.select(row);
      this.redraw();
    }
    onClick(event) {
      const node = event.target.closest(".qi-row");
      if (!node) return;
      const row = Number(node.dataset.row);
      if (event.target.classList.contains("can")) this.toggle(row);
      else this.select(row);
    }
    onDoubleClick(event) {
      const node = event.target.closest(".qi-row");
      if (node && !event.target.classList.contains("can")) this.toggle(Number(node.dataset.row));
    }
    /* https://www.w3.org/WAI/ARIA/apg/patterns/treeview/ */
    onKey(event) {
      if (!this.model || event.ctrlKey || event.metaKey || event.altKey) return;
      const acted = this.moveBy(event.key) || this.act(event);
      if (acted) this.typed.end();
      if (acted || this.typeTo(event)) event.preventDefault();
    }
    moveBy(key) {
      const { visible, place } = this.model;
      const page = Math.max(1, Math.floor(this.root.clientHeight / ROW_HEIGHT) - 1);
      const here = place[this.active];
      const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: visible.length - 1,
        PageDown: here + page, PageUp: here - page }[key];
      if (to === undefined) return false;
      this.select(visible[Math.min(visible.length - 1, Math.max(0, to))]);
      return true;
    }
    act(event) {
      const model = this.model, row = this.active, { key } = event;
      if (key === "ArrowRight") {
        if (!model.hasChildren(row)) return true;
        if (model.isOpen(row)) this.select(model.visible[model.place[row] + 1]);
        else this.toggle(row, true);
      } else if (key === "ArrowLeft") {
        if (model.hasChildren(row) && model.isOpen(row)) this.toggle(row, false);
        else if (model.parent[row] >= 0) this.select(model.parent[row]);
      } else if (key === "Enter" || key === " ") {
        if (key === " " && this.typed.goesOn(event)) return false;
        this.toggle(row);
      } else if (key === "*") {
        for (let other = 0; other < model.length; other++) {
          if (model.parent[other] === model.parent[row] && model.hasChildren(other)) {
            (model.searchOpen || model.open)[other] = 1;
          }
        }
        model.refresh();
        this.redraw();
        this.select(row);
      } else return false;
      return true;
    }
    /* Letters typed in quick succession find the next row that starts with them. */
    typeTo(event) {
      if (event.key.length !== 1) return false;
      const typed = this.typed.add(event), { visible, place, label } = this.model;
      const start = place[this.active] + (typed.length === 1 ? 1 : 0);
      for (let step = 0; step < visible.length; step++) {
        const row = visible[(start + step) % visible.length];
        if (label[row].toLowerCase().startsWith(typed)) { this.select(row); break; }
      }
      return true;
    }
  }

  /* Search box, roles, tree, and the panel beside it. */
  class Inspector {
    constructor({ element, props, server, watch, trigger }) {
      this.server = server;
      this.trigger = trigger;
      this.props = props;
      this.find = (selector) => element.querySelector(selector);
      this.detailRequest = 0;
      this.diagrams = new Map();
      this.tree = new TreeView(this.find(".qi-tree"), (row) => this.onSelect(row));
      this.wireTools();
      watch("value", () => this.follow(props.value));
      // A link names another model: the page's first value is not what it will show.
      if (!new URLSearchParams(location.search).has("model")) this.follow(props.value);
    }
    wireTools() {
      const box = this.find(".qi-query");
      box.addEventListener("input", () => this.search());
      box.addEventListener("keydown", (event) => {
        if (event.key === "Escape") { box.value = ""; this.search(); }
        if (event.key === "ArrowDown") { event.preventDefault(); this.tree.root.focus(); }
      });
      this.find(".qi-regex").addEventListener("click", (event) => {
        const button = event.currentTarget;
        button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
        this.search();
      });
      this.find(".qi-open").addEventListener("click", () => this.openAll(true));
      this.find(".qi-close").addEventListener("click", () => this.openAll(false));
      this.find(".qi-panel").addEventListener("click", (event) => this.onPanelClick(event));
      this.find(".qi-panel").addEventListener("toggle", (event) => this.onUnfold(event), true);
      this.find(".qi-found").addEventListener("click", (event) => this.onPanelClick(event));
    }
    openAll(open) {
      if (!this.tree.model) return;
      this.tree.model.openAll(open);
      if (this.tree.model.place[this.tree.active] < 0) this.tree.select(0);
      this.tree.redraw();
    }
    /* Model and plan in force, as the header has them. */
    async follow(value) {
      if (!value) return;
      const { source, plan } = JSON.parse(value);
      this.plan = plan;
      if (source && source !== this.source) await this.load(source);
      else await this.markTrained();
    }
    /* Python resolves the plan on the model; the tree only shows it. */
    async markTrained() {
      const model = this.tree.model, plan = this.plan;
      if (!model || !plan) return;
      const names = await this.server.trains([model.source, plan]);
      if (this.tree.model !== model || this.plan !== plan) return; // changed meanwhile
      model.showTrained(names);
      this.tree.redraw();
    }
    async load(source) {
      this.source = source;
      this.say("Reading the module tree …");
      try {
        const record = await this.server.tree(source);
        if (this.source !== source) return; // another model was picked meanwhile
        this.diagrams.clear();
        this.tree.show(new TreeModel(record));
        this.search();
        this.find(".qi-inspector").dataset.source = source;
        await this.markTrained();
        requestAnimationFrame(() => this.trigger("load")); // now for what lies below
      } catch (error) {
        this.say("The module tree could not be read. Pick the model again.");
        console.error(error);
      }
    }
    say(text) { this.find(".qi-found").textContent = text; }
    search() {
      const model = this.tree.model;
      if (!model) return;
      const query = this.find(".qi-query").value;
      const asRegex = this.find(".qi-regex").getAttribute("aria-pressed") === "true";
      const problem = model.search(query, asRegex);
      this.find(".qi-query").setAttribute("aria-invalid", Boolean(problem));
      if (problem) { this.say(problem); return; }
      this.tree.root.scrollTop = 0;
      this.tree.redraw();
      // The panel follows a search to the first that was found.
      const { match } = model, { active } = this.tree;
      const wanted = match && !match[active] ? match.indexOf(1) : active;
      if (wanted !== active && wanted >= 0) this.tree.select(wanted);
      else if (model.place[active] < 0) this.tree.select(0);
      this.sayFound(query.trim());
    }
    sayFound(query) {
      const model = this.tree.model;
      if (!query) {
        this.say(`${number.format(model.length - model.type.filter((t) => t === FOLD).length)} ` +
          "modules and tensors");
        return;
      }
      const tensors = model.matchedTensors();
      this.say(`${number.format(model.matches)} found` +
        (tensors.length ? `, ${number.format(tensors.length)} of them tensors ` : " "));
      if (!tensors.length) return;
      for (const [what, label] of [["matches", "Copy names"], ["matches-regex", "Copy as regex"]]) {
        const button = make("button", "qi-link", label);
        button.dataset.copy = what;
        this.find(".qi-found").append(button);
      }
    }
    /* A row selected once more (a search, then a click) keeps its panel and what was unfolded in it. */
    onSelect(row) {
      const { model } = this.tree;
      if (this.detailOf && this.detailOf.model === model && this.detailOf.row === row) return;
      this.detailOf = { model, row };
      clearTimeout(this.detailTimer);
      this.detailTimer = setTimeout(() => this.showDetail(row), 60);
    }
    async showDetail(row) {
      const model = this.tree.model;
      const request = ++this.detailRequest;
      const members = model.type[row] === FOLD;
      let html;
      try {
        html = await this.server.detail([model.source, model.name[row], members ? "fold" : "one"]);
      } catch (error) {
        console.error(error);
        if (request === this.detailRequest) this.detailOf = null; // a click asks again
        return;
      }
      if (request !== this.detailRequest || this.tree.model !== model) return;
      this.find(".qi-detail").innerHTML = html; // escaped where it was made
      this.find(".qi-below").replaceChildren(...this.find(".qi-detail").querySelectorAll(".qi-tail"));
      this.find(".qi-panel").scrollTop = 0;
      await this.showDiagram(row);
    }
    /* The block of the selected module, or the first one, with the selected module lit. */
    async showDiagram(row) {
      const model = this.tree.model;
      const found = model.whereIs(model.name[row]);
      const form = model.formOf(found.block);
      const caption = this.find(".qi-diagram figcaption");
      caption.textContent = model.blocks ? `Block ${found.block}` : "";
      const picture = this.find(".qi-picture");
      if (model.blocks && picture.dataset.form !== `${model.source}/${form}`) {
        picture.dataset.form = `${model.source}/${form}`;
        if (!this.diagrams.has(form)) {
          picture.textContent = "Drawing …";
          const asked = this.server.diagram([model.source, found.block]);
          this.diagrams.set(form, asked.catch((error) => {
            console.warn(error);
            this.diagrams.delete(form); // the next selection asks again
            return '<p class="qi-wait">The block could not be drawn.</p>';
          }));
        }
        const svg = await this.diagrams.get(form);
        if (picture.dataset.form !== `${model.source}/${form}`) return; // another one meanwhile
        picture.innerHTML = svg; // escaped where it was made
      } else if (!model.blocks) picture.textContent = "";
      const now = model.whereIs(model.name[this.tree.active]);
      const svg = picture.querySelector("svg");
      if (svg) svg.dataset.block = `${model.stack}.${now.block}`;
      this.light(svg, now.inside);
    }
    /* The shape of this module or tensor; of the module that holds it, where it has none itself. */
    light(svg, inside) {
      if (!svg) return;
      const all = [...svg.querySelectorAll("[data-inside]")];
      while (inside && !all.some((shape) => shape.dataset.inside === inside)) {
        inside = inside.slice(0, Math.max(0, inside.lastIndexOf(".")));
      }
      for (const shape of svg.querySelectorAll("[data-inside]")) {
        const own = shape.dataset.inside;
        shape.classList.toggle("lit", inside !== "" && own === inside);
        shape.classList.toggle("holds", inside.startsWith(`${own}.`));
      }
    }
    onPanelClick(event) {
      const target = event.target.closest("[data-copy], [data-go], [data-inside], [data-values]");
      if (!target) return;
      if (target.dataset.copy) this.copy(target);
      else if (target.dataset.values) this.measure(target);
      else if (target.dataset.go) this.tree.go(target.dataset.go);
      else this.tree.go(`${target.closest("svg").dataset.block}.${target.dataset.inside}`);
    }
    async onUnfold(event) {
      const details = event.target;
      if (!details.matches || !details.matches("details[data-source]") || !details.open) return;
      const code = details.querySelector("code");
      if (code.dataset.done) return;
      code.dataset.done = "1";
      try {
        code.textContent = await this.server.source([this.tree.model.source, details.dataset.source]);
      } catch (error) {
        console.error(error);
        code.textContent = "The source could not be read. Fold and unfold to ask again.";
        delete code.dataset.done;
      }
    }
    async measure(button) {
      const place = button.parentElement;
      place.textContent = "Reading the values …";
      place.innerHTML = await this.server.values([this.tree.model.source, button.dataset.values]);
    }
    async copy(button) {
      const model = this.tree.model, row = this.tree.active;
      const what = button.dataset.copy;
      const names = what.startsWith("matches") ? model.matchedTensors() : model.tensorsOf(row);
      let text = names.join("\n");
      if (what === "name") text = model.name[row];
      if (what.endsWith("regex")) text = await this.server.pattern([model.source, names]);
      await navigator.clipboard.writeText(text);
      const label = button.textContent;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = label; }, 1200);
    }
  }

  window.QwenInspect = { mount: (context) => new Inspector(context), TreeModel };
})();
