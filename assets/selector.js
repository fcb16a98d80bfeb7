/* The selector: blocks x kinds as a grid, and the module tree, over one Uint8Array of states (a
   tensor each, 1 trains). A tensor with two names (a tied head) has one state and counts once.
   Only the rows in view are drawn. Both views have one tab stop and name their active cell by
   aria-activedescendant, so that cells can come and go while the focus stays. */
(() => {
  "use strict";
  const MARGIN = 6; // rows drawn beyond each edge
  const MAX_UNDO = 200;
  const OFF = "0", ON = "1", MIXED = "m", NONE = "x";
  const ARIA = { [OFF]: "false", [ON]: "true", [MIXED]: "mixed" };
  const number = new Intl.NumberFormat("en-US");

  const threeDigits = (value) => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
  const short = (count) => {
    for (const [limit, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"]]) {
      if (count >= limit) return `${threeDigits(count / limit)} ${unit}`;
    }
    return count >= 1e5 ? `${(count / 1e3).toFixed(0)} K` : number.format(count);
  };
  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const put = (node, name, value) => {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  };
  const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const stateOf = (on, size) => (size === 0 ? NONE : on === 0 ? OFF : on === size ? ON : MIXED);
  /* Width of a bar in per cent; on the logarithmic scale a thousandth of a per cent is visible. */
  const extent = (part, all, scale) => {
    if (!part || !all) return 0;
    if (scale === "linear") return (100 * part) / all;
    return (100 * Math.log10(1 + part)) / Math.log10(1 + all);
  };

  /* What a model is made of: tensors, and the rows and columns of its grid. No DOM. */
  class Structure {
    constructor(record) {
      this.source = record.source;
      this.stack = record.stack;
      this.blocks = record.blocks;
      this.total = record.total;
      this.kinds = record.kinds.map(([kind, role, shape]) => ({ kind, role, shape }));
      this.block = Int32Array.from(record.block);
      this.kind = Uint32Array.from(record.kind);
      this.aliases = record.aliases;
      this.length = this.block.length;
      const sizes = this.kinds.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
      this.numel = Float64Array.from(this.kind, (kind) => sizes[kind]);
      this.makeColumns();
      this.makeRows();
    }
    nameOf(tensor) {
      const { kind } = this.kinds[this.kind[tensor]];
      const block = this.block[tensor];
      return block < 0 ? kind : `${this.stack}.${block}.${kind}`;
    }
    /* A column is a kind; kinds that differ in numbers alone (experts) share one. Columns of a role
       stand together, roles in the order in which the model has them. */
    makeColumns() {
      const byKey = new Map();
      const roles = new Map();
      const ofKind = this.kinds.map(() => -1);
      for (let t = 0; t < this.length; t++) {
        if (this.block[t] < 0 || ofKind[this.kind[t]] >= 0) continue;
        const { kind, role } = this.kinds[this.kind[t]];
        const label = kind.replace(/(^|\.)\d+(?=\.|$)/g, "$1*");
        const key = `${role} ${label}`;
        if (!byKey.has(key)) {
          byKey.set(key, { label, role, kinds: [] });
          roles.set(role, [...(roles.get(role) || []), byKey.get(key)]);
        }
        byKey.get(key).kinds.push(this.kind[t]);
        ofKind[this.kind[t]] = key;
      }
      this.columns = [...roles.values()].flat();
      this.roles = [...roles].map(([role, columns]) => ({ role, size: columns.length }));
      let start = 0;
      for (const role of this.roles) { role.start = start; start += role.size; }
      const place = new Map(this.columns.map((column, i) => [`${column.role} ${column.label}`, i]));
      this.columnOfKind = Int32Array.from(ofKind, (key) => (key === -1 ? -1 : place.get(key)));
      const modules = this.columns.map(({ label }) => label.split(".").slice(0, -1).join("."));
      const shorts = this.columns.map(({ label }, i) => {
        const alone = modules.filter((module) => module === modules[i]).length === 1;
        const parts = label.split(".");
        return alone && label.endsWith(".weight") ? parts.at(-2) : parts.slice(-2).join(".");
      });
      this.columns.forEach((column, i) => {
        const clear = shorts.filter((one) => one === shorts[i]).length === 1;
        column.short = clear ? shorts[i] : column.label;
        column.role_index = this.roles.findIndex(({ role }) => role === column.role);
      });
    }
    /* Tensors before the first block, the blocks, the others; a second name is a row of its own. */
    makeRows() {
      const first = this.block.findIndex((block) => block >= 0);
      const outside = [];
      for (let t = 0; t < this.length; t++) if (this.block[t] < 0) outside.push(t);
      const row = (t) => ({ label: this.nameOf(t), block: -1, tensors: [t], tied: "" });
      const before = outside.filter((t) => t < first || first < 0).map(row);
      const after = outside.filter((t) => t > first && first >= 0).map(row);
      const blocks = Array.from({ length: this.blocks }, (_, i) =>
        ({ label: `block ${i}`, block: i, tensors: [], tied: "" }));
      const second = this.aliases.map(([t, name]) =>
        ({ label: name, block: -1, tensors: [t], tied: this.nameOf(t) }));
      this.firstBlockRow = before.length;
      this.rows = [...before, ...blocks, ...after, ...second];
      this.cells = this.rows.map(() => []);
      this.columnTensors = this.columns.map(() => []);
      for (let t = 0; t < this.length; t++) {
        if (this.block[t] < 0) continue;
        const r = this.firstBlockRow + this.block[t], c = this.columnOfKind[this.kind[t]];
        this.rows[r].tensors.push(t);
        this.columnTensors[c].push(t);
        (this.cells[r][c] = this.cells[r][c] || []).push(t);
      }
      for (const one of this.rows) one.numel = this.sum(one.tensors);
      this.everything = Array.from({ length: this.length }, (_, t) => t);
      this.inBlocks = this.everything.filter((t) => this.block[t] >= 0);
      this.largestRow = Math.max(1, ...this.rows.map(({ numel }) => numel));
      this.largestBlock = Math.max(1, ...this.rows.map((r) => (r.block < 0 ? 0 : r.numel)));
      this.largestTensor = this.numel.reduce((a, b) => Math.max(a, b), 1);
    }
    sum(tensors) { return tensors.reduce((sum, t) => sum + this.numel[t], 0); }
  }

  /* Which tensors train, with undo. `onChange(done)`: done is false while a drag goes on. */
  class Choice {
    constructor(structure, onChange) {
      this.structure = structure;
      this.onChange = onChange;
      this.states = new Uint8Array(structure.length);
      this.name = "";
      this.past = [];
      this.future = [];
      this.before = null;
      this.watches = new Set();
      this.tally();
    }
    /* What the hand sets from now on: tensor to state, until it is given back. */
    watchHand() {
      const since = new Map();
      this.watches.add(since);
      return since;
    }
    unwatchHand(since) { this.watches.delete(since); }
    tally() {
      const { numel, length } = this.structure;
      let trained = 0, tensors = 0;
      for (let t = 0; t < length; t++) if (this.states[t]) { trained += numel[t]; tensors += 1; }
      this.trained = trained;
      this.tensors = tensors;
    }
    on(tensors) {
      let on = 0;
      for (let i = 0; i < tensors.length; i++) on += this.states[tensors[i]];
      return on;
    }
    stateOf(tensors) { return tensors ? stateOf(this.on(tensors), tensors.length) : NONE; }
    trainedOf(tensors) {
      let sum = 0;
      for (const t of tensors) if (this.states[t]) sum += this.structure.numel[t];
      return sum;
    }
    begin() { this.before = { states: this.states.slice(), name: this.name }; }
    paint(tensors, value) {
      let changed = false;
      for (let i = 0; i < tensors.length; i++) {
        if (this.states[tensors[i]] === value) continue;
        this.states[tensors[i]] = value;
        for (const since of this.watches) since.set(tensors[i], value);
        changed = true;
      }
      if (!changed) return;
      this.name = "";
      this.tally();
      this.onChange(false);
    }
    commit() {
      const before = this.before;
      this.before = null;
      if (!before || before.states.every((state, t) => state === this.states[t])) return false;
      this.past.push(before);
      if (this.past.length > MAX_UNDO) this.past.shift();
      this.future = [];
      this.onChange(true);
      return true;
    }
    /* One whole step. */
    set(tensors, value) { this.begin(); this.paint(tensors, value); this.commit(); }
    toggle(tensors) { if (tensors.length) this.set(tensors, this.stateOf(tensors) === ON ? 0 : 1); }
    replace(states, name) {
      this.begin();
      this.states = states;
      this.name = name;
      this.tally();
      return this.commit();
    }
    /* The last step, which makes `used(states)`, was asked for when `past` had this length: undo
       takes back first what the hand did after it. */
    putBefore(length, used, name) {
      const later = this.past.slice(length, -1); // what each step of the hand meanwhile began from
      if (!later.length) return;
      const begun = later[0].states, states = used(begun);
      const moved = later.slice(1).map((step) => ({
        states: step.states.map((state, t) => (state === begun[t] ? states[t] : state)), name: "",
      }));
      this.past.splice(length, Infinity, later[0], { states, name }, ...moved);
    }
    /* What Python says: no step of the person's, but one that undo can leave. */
    adopt(states, name, remember) {
      if (remember) { this.past.push({ states: this.states, name: this.name }); this.future = []; }
      this.states = states;
      this.name = name;
      this.tally();
    }
    undo() { this.travel(this.past, this.future); }
    redo() { this.travel(this.future, this.past); }
    travel(from, to) {
      if (!from.length || this.before) return;
      to.push({ states: this.states, name: this.name });
      ({ states: this.states, name: this.name } = from.pop());
      this.tally();
      this.onChange(true);
    }
    ranges() {
      const runs = [];
      for (let t = 0; t < this.states.length; t++) {
        if (!this.states[t]) continue;
        const start = t;
        while (t + 1 < this.states.length && this.states[t + 1]) t++;
        runs.push(start === t ? `${t}` : `${start}-${t}`);
      }
      return runs.join(",");
    }
    static read(ranges, length) {
      const states = new Uint8Array(length);
      for (const run of ranges ? ranges.split(",") : []) {
        const [start, end] = run.split("-").map(Number);
        states.fill(1, start, (end === undefined ? start : end) + 1);
      }
      return states;
    }
  }

  /* Rows of equal height in a scroller; only those in view have nodes, which are used again. */
  class Rows {
    constructor(scroller, canvas, height, makeRow, fillRow) {
      Object.assign(this, { scroller, canvas, height, makeRow, fillRow });
      this.count = 0;
      this.headHeight = 0;
      this.pool = new Map();
      scroller.addEventListener("scroll", () => this.draw(), { passive: true });
      new ResizeObserver(() => this.draw()).observe(scroller);
    }
    reset(count, headHeight) {
      this.count = count;
      this.headHeight = headHeight;
      this.pool.clear();
      this.canvas.textContent = "";
      this.canvas.style.height = `${count * this.height}px`;
      this.draw();
    }
    resize(count) {
      this.count = count;
      this.canvas.style.height = `${count * this.height}px`;
      this.draw();
    }
    draw() {
      const top = this.scroller.scrollTop, room = this.scroller.clientHeight;
      const first = Math.max(0, Math.floor(top / this.height) - MARGIN);
      const last = Math.min(this.count - 1, Math.ceil((top + room) / this.height) + MARGIN);
      const spare = [];
      for (const [row, node] of this.pool) {
        if (row < first || row > last) { spare.push(node); this.pool.delete(row); }
      }
      for (let row = first; row <= last; row++) {
        let node = this.pool.get(row);
        if (!node) {
          node = spare.pop();
          if (!node) { node = this.makeRow(); this.canvas.append(node); }
          this.pool.set(row, node);
          node.style.transform = `translateY(${row * this.height}px)`;
        }
        this.fillRow(node, row);
      }
      for (const node of spare) node.remove();
    }
    reveal(row) {
      const top = row * this.height, room = this.scroller.clientHeight - this.headHeight;
      if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
      else if (top + this.height > this.scroller.scrollTop + room) {
        this.scroller.scrollTop = top + this.height - room;
      }
      this.draw();
    }
    get page() {
      return Math.max(1, Math.floor((this.scroller.clientHeight - this.headHeight) / this.height) - 1);
    }
  }

  /* The grid. Places are (row, column): row 0 the roles, row 1 the kinds, from 2 on the model's
     rows; column 0 the row's own box, from 1 on the kinds. */
  const HEADS = 2;
  class GridView {
    constructor(root) {
      this.root = root;
      this.at = { r: HEADS, c: 0 };
      this.anchor = null;
      this.typed = new window.QwenTypeahead(800);
      this.scale = "linear";
      this.heat = null; // {cellOf(tensors), blockOf(block), say(value)}: see freeze_heat.js
      this.marked = null;
      this.head = make("div", "qs-head");
      this.head.setAttribute("role", "rowgroup");
      this.canvas = make("div", "qs-canvas");
      this.canvas.setAttribute("role", "rowgroup");
      root.append(this.head, this.canvas);
      this.rows = new Rows(root, this.canvas, 21, () => this.makeRow(), (n, r) => this.fillRow(n, r));
      root.addEventListener("pointerdown", (event) => this.onPress(event));
      root.addEventListener("pointermove", (event) => this.onMove(event));
      for (const type of ["pointerup", "pointercancel"]) {
        root.addEventListener(type, () => this.onRelease());
      }
      root.addEventListener("keydown", (event) => this.onKey(event));
      root.addEventListener("pointerover", (event) => this.onHover(event));
    }
    show(choice) {
      this.choice = choice;
      this.structure = choice.structure;
      const { columns, rows, firstBlockRow } = this.structure;
      this.at = { r: HEADS + Math.min(firstBlockRow, rows.length - 1), c: 0 };
      this.anchor = null;
      this.root.style.setProperty("--qs-kinds", columns.length);
      put(this.root, "aria-rowcount", String(rows.length + HEADS));
      put(this.root, "aria-colcount", String(columns.length + 1));
      this.drawHead();
      this.rows.reset(rows.length, this.head.offsetHeight);
      this.root.scrollTop = 0;
      this.redraw();
    }
    drawHead() {
      const { roles, columns } = this.structure;
      this.head.textContent = "";
      const first = make("div", "qs-row qs-roles"), second = make("div", "qs-row qs-kinds");
      first.append(this.headCell(0, 0, "All", "qs-corner"));
      for (const { role, start, size } of roles) {
        const cell = this.headCell(0, start + 1, role, "qs-role");
        cell.style.gridColumn = `span ${size}`;
        cell.style.setProperty("--role", `var(--q-role-${role})`);
        put(cell, "aria-colspan", String(size));
        first.append(cell);
      }
      first.append(make("div", "qs-bar-head", "of the block"));
      second.append(this.headCell(1, 0, "Blocks", "qs-corner"));
      columns.forEach((column, i) => {
        const cell = this.headCell(1, i + 1, column.short, "qs-kind");
        cell.title = `${column.label}${column.kinds.length > 1 && column.label.includes("*") ?
          ` (${column.kinds.length} kinds)` : ""}`;
        second.append(cell);
      });
      second.append(make("div", "qs-bar-head qs-bar-right", "trains"));
      for (const row of [first, second]) row.setAttribute("role", "row");
      this.head.append(first, second);
    }
    headCell(r, c, text, className) {
      const cell = make("div", `qs-cellbox ${className}`);
      cell.setAttribute("role", "columnheader");
      cell.dataset.at = `${r}:${c}`;
      const box = this.makeBox(`qs-${r}-${c}`);
      cell.append(make("span", "qs-head-text", text), box);
      box.setAttribute("aria-label", this.labelAt(r, c));
      return cell;
    }
    makeBox(id) {
      const box = make("span", "qs-box");
      box.setAttribute("role", "checkbox");
      if (id) box.id = id;
      return box;
    }
    makeRow() {
      const row = make("div", "qs-row qs-body");
      row.setAttribute("role", "row");
      const head = make("div", "qs-cellbox qs-rowhead");
      head.setAttribute("role", "rowheader");
      head.append(this.makeBox(), make("span", "qs-row-text"));
      row.append(head);
      for (let c = 1; c <= this.structure.columns.length; c++) {
        const cell = make("div", "qs-cellbox qs-cell");
        cell.setAttribute("role", "gridcell");
        cell.append(this.makeBox());
        row.append(cell);
      }
      const bar = make("div", "qs-meter");
      bar.append(make("i"));
      row.append(bar, make("div", "qs-count"));
      return row;
    }
    /* A node may have stood for another row: everything that tells rows apart is set anew. */
    fillRow(node, index) {
      const row = this.structure.rows[index], r = index + HEADS;
      const children = node.children;
      if (node.dataset.row !== String(index)) {
        node.dataset.row = String(index);
        put(node, "aria-rowindex", String(r + 1));
        node.classList.toggle("qs-outside", row.block < 0);
        for (let c = 0; c <= this.structure.columns.length; c++) this.nameCell(children[c], r, c);
        const text = row.tied ? `${row.label} = ${row.tied} (tied)` : row.label;
        write(children[0].lastChild, text);
      }
      for (let c = 0; c <= this.structure.columns.length; c++) this.paintCell(children[c], r, c);
      this.paintMeter(node, row);
    }
    nameCell(cell, r, c) {
      cell.dataset.at = `${r}:${c}`;
      const box = cell.firstChild, tensors = this.tensorsAt(r, c);
      box.id = `qs-${r}-${c}`;
      const none = !tensors.length;
      cell.classList.toggle("qs-none", none);
      if (none) { box.removeAttribute("role"); box.removeAttribute("aria-label"); }
      else { put(box, "role", "checkbox"); put(box, "aria-label", this.labelAt(r, c)); }
    }
    paintCell(cell, r, c) {
      const tensors = this.tensorsAt(r, c), box = cell.firstChild;
      const state = this.choice.stateOf(tensors);
      if (box.dataset.state !== state) {
        box.dataset.state = state;
        if (state === NONE) box.removeAttribute("aria-checked");
        else box.setAttribute("aria-checked", ARIA[state]);
      }
      if (c > 0 && state !== NONE) {
        const marked = this.marked !== null && tensors.some((t) => this.marked[t]);
        if (cell.classList.contains("qs-marked") !== marked) cell.classList.toggle("qs-marked", marked);
        this.shade(box, this.heat ? this.heat.cellOf(tensors) : null);
      }
      if (c === 0) {
        const { block } = this.structure.rows[r - HEADS];
        this.shade(cell, this.heat && block >= 0 ? this.heat.blockOf(block) : null);
      }
      const active = this.at.r === r && this.at.c === c;
      if (cell.classList.contains("qs-active") !== active) cell.classList.toggle("qs-active", active);
    }
    /* `share`: 0 to 1 on the heat's scale, null for none. */
    shade(node, share) {
      const heat = share === null || Number.isNaN(share) ? "" : share.toFixed(3);
      if (node.dataset.heat === heat || (!heat && node.dataset.heat === undefined)) return;
      if (heat) { node.dataset.heat = heat; node.style.setProperty("--heat", heat); }
      else { node.style.removeProperty("--heat"); delete node.dataset.heat; }
    }
    paintMeter(node, row) {
      const meter = node.children[this.structure.columns.length + 1];
      const trained = this.choice.trainedOf(row.tensors);
      const { largestBlock, largestRow } = this.structure;
      const largest = this.scale === "log" ? largestRow : row.block < 0 ? row.numel : largestBlock;
      const all = extent(row.numel, largest, this.scale), part = extent(trained, largest, this.scale);
      meter.style.setProperty("--all", `${all.toFixed(3)}%`);
      meter.style.setProperty("--part", `${part.toFixed(3)}%`);
      const said = `${number.format(trained)} of ${number.format(row.numel)} train`;
      if (meter.title !== said) meter.title = said;
      const count = node.lastChild;
      write(count, trained ? short(trained) : "–");
      if (count.title !== said) count.title = said;
      node.classList.toggle("qs-trains", trained > 0);
    }
    paintHead() {
      for (const cell of this.head.querySelectorAll("[data-at]")) {
        const [r, c] = cell.dataset.at.split(":").map(Number);
        const box = cell.lastChild, state = this.choice.stateOf(this.tensorsAt(r, c));
        if (box.dataset.state !== state) {
          box.dataset.state = state;
          put(box, "aria-checked", ARIA[state] || "false");
        }
        cell.classList.toggle("qs-active", this.isActive(r, c));
      }
    }
    isActive(r, c) {
      if (this.at.r !== r) return false;
      return r === 0 ? this.roleStart(this.at.c) === c : this.at.c === c;
    }
    roleStart(c) {
      if (c === 0) return 0;
      return this.structure.roles[this.structure.columns[c - 1].role_index].start + 1;
    }
    redraw() {
      if (!this.choice || this.root.hidden) return;
      this.paintHead();
      this.rows.draw();
      const c = this.at.r === 0 ? this.roleStart(this.at.c) : this.at.c;
      put(this.root, "aria-activedescendant", `qs-${this.at.r}-${c}`);
    }
    tensorsAt(r, c) {
      const { structure } = this;
      if (r === 0) {
        if (c === 0) return structure.everything;
        const role = structure.roles[structure.columns[c - 1].role_index];
        return role.tensors = role.tensors || structure.columnTensors
          .slice(role.start, role.start + role.size).flat();
      }
      if (r === 1) return c === 0 ? structure.inBlocks : structure.columnTensors[c - 1];
      if (c === 0) return structure.rows[r - HEADS].tensors;
      return structure.cells[r - HEADS][c - 1] || [];
    }
    labelAt(r, c) {
      const column = c > 0 ? this.structure.columns[c - 1] : null;
      if (r === 0) return column ? `${column.role} in all blocks` : "everything";
      if (r === 1) return column ? `${column.label} in all blocks` : "all blocks";
      const row = this.structure.rows[r - HEADS];
      return column ? `${row.label} ${column.label}` : row.label;
    }
    placeOf(node) {
      const cell = node && node.closest ? node.closest("[data-at]") : null;
      if (!cell || !this.root.contains(cell)) return null;
      const [r, c] = cell.dataset.at.split(":").map(Number);
      return { r, c };
    }
    onHover(event) {
      const place = this.placeOf(event.target);
      if (!place || place.r < HEADS) return;
      const cell = event.target.closest("[data-at]"), tensors = this.tensorsAt(place.r, place.c);
      if (!tensors.length) return;
      const { structure } = this;
      if (place.c === 0) {
        const { label, tied, numel, block } = structure.rows[place.r - HEADS];
        cell.title = `${tied ? `${label} = ${tied} (tied)` : label}: ${number.format(numel)} parameters` +
          (this.heat && block >= 0 ? this.heat.sayBlock(block) : "");
        return;
      }
      const shape = structure.kinds[structure.kind[tensors[0]]].shape.join(" × ");
      const many = tensors.length > 1 ? `${number.format(tensors.length)} tensors, ` : "";
      cell.title = `${this.labelAt(place.r, place.c)}\n${many}${shape} = ` +
        `${number.format(structure.sum(tensors))} parameters` +
        (this.heat ? this.heat.sayCell(tensors) : "");
    }
    onPress(event) {
      const place = event.button === 0 ? this.placeOf(event.target) : null;
      if (!place || !this.choice) return;
      this.root.focus({ preventScroll: true });
      event.preventDefault();
      const tensors = this.tensorsAt(place.r, place.c);
      if (event.shiftKey && this.anchor) {
        this.at = place;
        this.fillTo(place);
        return;
      }
      this.at = place;
      this.anchor = { ...place, value: this.choice.stateOf(tensors) === ON ? 0 : 1 };
      this.drag = { last: place, value: this.anchor.value };
      this.root.setPointerCapture(event.pointerId);
      this.choice.begin();
      this.choice.paint(tensors, this.drag.value);
      this.redraw();
    }
    onMove(event) {
      if (!this.drag) return;
      const box = this.root.getBoundingClientRect();
      if (event.clientY > box.bottom - 12) this.root.scrollTop += this.rows.height;
      if (event.clientY < box.top + this.rows.headHeight && this.drag.last.r >= HEADS) {
        this.root.scrollTop -= this.rows.height;
      }
      const place = this.placeOf(document.elementFromPoint(event.clientX, event.clientY));
      if (!place || (place.r === this.drag.last.r && place.c === this.drag.last.c)) return;
      const start = this.drag.last;
      // A drag stays among its like: cells, row boxes or heads.
      if ((place.r < HEADS) !== (start.r < HEADS) || (place.c === 0) !== (start.c === 0)) return;
      this.paintLine(start, place);
      this.drag.last = this.at = place;
    }
    /* A quick hand skips cells: paint all that lie between two places. */
    paintLine(from, to) {
      const steps = Math.max(Math.abs(to.r - from.r), Math.abs(to.c - from.c));
      const tensors = [];
      for (let i = 1; i <= steps; i++) {
        const r = Math.round(from.r + ((to.r - from.r) * i) / steps);
        const c = Math.round(from.c + ((to.c - from.c) * i) / steps);
        tensors.push(...this.tensorsAt(r, c));
      }
      this.choice.paint(tensors, this.drag.value);
    }
    onRelease() {
      if (!this.drag) return;
      this.drag = null;
      this.choice.commit();
    }
    /* All between the anchor and here takes the anchor's state, as one step. */
    fillTo(place) {
      const { r, c, value } = this.anchor;
      const tensors = [];
      for (let i = Math.min(r, place.r); i <= Math.max(r, place.r); i++) {
        for (let j = Math.min(c, place.c); j <= Math.max(c, place.c); j++) {
          tensors.push(...this.tensorsAt(i, j));
        }
      }
      this.choice.set(tensors, value);
      this.redraw();
    }
    onKey(event) {
      if (!this.choice || event.altKey) return;
      const acted = this.act(event) || this.move(event);
      if (acted) this.typed.end();
      if (!acted && !this.type(event)) return;
      event.preventDefault();
      event.stopPropagation();
    }
    act(event) {
      const { r, c } = this.at, control = event.ctrlKey || event.metaKey;
      if (control && event.key.toLowerCase() === "a") this.choice.toggle(this.structure.everything);
      else if (event.key === " ") {
        const [tr, tc] = event.shiftKey ? [r, r < HEADS ? c : 0] : control ? [1, c] : [r, c];
        const tensors = this.tensorsAt(tr, tc);
        this.anchor = { r, c, value: this.choice.stateOf(tensors) === ON ? 0 : 1 };
        this.choice.toggle(tensors);
      } else return false;
      return true;
    }
    move(event) {
      const last = { r: this.structure.rows.length + HEADS - 1, c: this.structure.columns.length };
      const control = event.ctrlKey || event.metaKey;
      let { r, c } = this.at;
      switch (event.key) {
        case "ArrowUp": r -= 1; break;
        case "ArrowDown": r += 1; break;
        case "ArrowLeft": c = r === 0 ? this.roleStart(Math.max(0, this.roleStart(c) - 1)) : c - 1; break;
        case "ArrowRight": c = r === 0 ? this.nextRole(c) : c + 1; break;
        case "Home": c = 0; if (control) r = 0; break;
        case "End": c = last.c; if (control) r = last.r; break;
        case "PageUp": r -= this.rows.page; break;
        case "PageDown": r += this.rows.page; break;
        default: return false;
      }
      const from = this.at;
      this.at = { r: Math.max(0, Math.min(last.r, r)), c: Math.max(0, Math.min(last.c, c)) };
      if (this.outside(this.at.r)) this.at.c = 0;
      if (event.shiftKey) this.extend(from);
      else this.anchor = null;
      this.reveal();
      return true;
    }
    outside(r) { return r >= HEADS && this.structure.rows[r - HEADS].block < 0; }
    nextRole(c) {
      if (c === 0) return Math.min(1, this.structure.columns.length);
      const role = this.structure.roles[this.structure.columns[c - 1].role_index];
      return Math.min(role.start + role.size + 1, this.structure.columns.length);
    }
    /* Shift with an arrow carries the state of the cell that it started from. */
    extend(from) {
      if (!this.anchor) {
        const state = this.choice.stateOf(this.tensorsAt(from.r, from.c));
        this.anchor = { ...from, value: state === ON ? 1 : 0 };
      }
      this.fillTo(this.at);
    }
    reveal() {
      if (this.at.r >= HEADS) this.rows.reveal(this.at.r - HEADS);
      this.redraw();
    }
    /* Digits find a block, letters a kind. */
    type(event) {
      if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.key === " ") return false;
      const typed = this.typed.add(event);
      if (/^\d+$/.test(typed)) {
        const block = Number(typed);
        if (block < this.structure.blocks) this.at.r = HEADS + this.structure.firstBlockRow + block;
      } else {
        const found = this.structure.columns.findIndex(({ label }) =>
          label.toLowerCase().split(".").some((part) => part.startsWith(typed)) ||
          label.toLowerCase().includes(typed));
        if (found >= 0) this.at.c = found + 1;
        if (this.outside(this.at.r)) this.at.r = HEADS + this.structure.firstBlockRow;
      }
      this.reveal();
      return true;
    }
  }

  /* The module tree, made of the names alone: a node a part of a name. No DOM. */
  class Tree {
    constructor(structure) {
      this.structure = structure;
      const root = { label: structure.source, children: new Map(), tensor: -1, tied: "" };
      for (let t = 0; t < structure.length; t++) this.insert(root, structure.nameOf(t), t, "");
      for (const [t, name] of structure.aliases) this.insert(root, name, t, structure.nameOf(t));
      this.nodes = [];
      this.leaves = [];
      this.flatten(root, 0, -1, "");
      this.size = this.nodes.map((node) => node.stop - node.start);
      this.openFirst();
      this.refresh();
    }
    insert(root, name, tensor, tied) {
      let node = root;
      for (const part of name.split(".")) {
        if (!node.children.has(part)) {
          node.children.set(part, { label: part, children: new Map(), tensor: -1, tied: "" });
        }
        node = node.children.get(part);
      }
      node.tensor = tensor;
      node.tied = tied;
    }
    flatten(raw, depth, parent, prefix) {
      const index = this.nodes.length;
      const full = prefix ? `${prefix}.${raw.label}` : depth ? raw.label : "";
      const node = { label: raw.label, full, depth, parent, tensor: raw.tensor, tied: raw.tied,
        start: this.leaves.length, stop: 0, end: 0, open: false };
      this.nodes.push(node);
      if (raw.tensor >= 0) this.leaves.push(raw.tensor);
      for (const child of raw.children.values()) this.flatten(child, depth + 1, index, full);
      node.stop = this.leaves.length;
      node.end = this.nodes.length;
    }
    /* The whole model at first sight: what leads to the blocks is open. */
    openFirst() {
      for (const node of this.nodes) {
        node.open = node.depth === 0 || `${this.structure.stack}.`.startsWith(`${node.full}.`);
      }
    }
    hasChildren(index) { return this.nodes[index].end > index + 1; }
    refresh() {
      this.visible = [];
      for (let i = 0; i < this.nodes.length;) {
        this.visible.push(i);
        i = this.nodes[i].open ? i + 1 : this.nodes[i].end;
      }
    }
    tensorsOf(index) {
      const { start, stop } = this.nodes[index];
      return [...new Set(this.leaves.slice(start, stop))];
    }
    /* Sums up to each leaf; a second name weighs nothing, so that a tie counts once. */
    measure(choice) {
      const length = this.leaves.length, { numel } = this.structure;
      this.on = new Int32Array(length + 1);
      this.sum = new Float64Array(length + 1);
      this.all = new Float64Array(length + 1);
      const seen = new Uint8Array(numel.length);
      for (let i = 0; i < length; i++) {
        const t = this.leaves[i], weight = seen[t] ? 0 : numel[t];
        seen[t] = 1;
        this.on[i + 1] = this.on[i] + choice.states[t];
        this.sum[i + 1] = this.sum[i] + (choice.states[t] ? weight : 0);
        this.all[i + 1] = this.all[i] + weight;
      }
    }
    stateOf(index) {
      const { start, stop } = this.nodes[index];
      return stateOf(this.on[stop] - this.on[start], stop - start);
    }
    countsOf(index, choice) {
      const { start, stop } = this.nodes[index];
      const all = this.all[stop] - this.all[start];
      if (all > 0) return [this.sum[stop] - this.sum[start], all];
      const tensors = this.tensorsOf(index); // second names alone
      return [choice.trainedOf(tensors), this.structure.sum(tensors)];
    }
  }

  class TreeView {
    constructor(root) {
      this.root = root;
      this.active = 0;
      this.typed = new window.QwenTypeahead(800);
      this.scale = "linear";
      this.canvas = make("div", "qs-canvas");
      this.canvas.setAttribute("role", "rowgroup");
      root.append(this.canvas);
      this.rows = new Rows(root, this.canvas, 26, () => this.makeRow(), (n, r) => this.fillRow(n, r));
      root.addEventListener("click", (event) => this.onClick(event));
      root.addEventListener("keydown", (event) => this.onKey(event));
    }
    show(choice) {
      this.choice = choice;
      this.tree = null; // made when it is first looked at
      this.active = 0;
      this.anchor = null;
      this.redraw();
    }
    redraw() {
      if (!this.choice || this.root.hidden) return;
      if (!this.tree) {
        this.tree = new Tree(this.choice.structure);
        this.tree.measure(this.choice);
        this.rows.reset(this.tree.visible.length, 0);
      }
      this.tree.measure(this.choice);
      put(this.root, "aria-rowcount", String(this.tree.visible.length));
      put(this.root, "aria-activedescendant", `qs-node-${this.tree.visible[this.active]}`);
      this.rows.draw();
    }
    makeRow() {
      const row = make("div", "qs-node");
      row.setAttribute("role", "row");
      const name = make("div", "qs-node-name");
      name.setAttribute("role", "gridcell");
      const box = make("span", "qs-box");
      box.setAttribute("role", "checkbox");
      name.append(make("span", "qs-twist"), box, make("span", "qs-node-label"), make("span", "qs-tied"));
      const meter = make("div", "qs-meter");
      meter.append(make("i"));
      row.append(name, make("span", "qs-shape"), meter, make("div", "qs-count"));
      return row;
    }
    fillRow(row, place) {
      const index = this.tree.visible[place], node = this.tree.nodes[index];
      const [name, shape, meter, count] = row.children;
      const [twist, box, label, tied] = name.children;
      const parent = this.tree.hasChildren(index);
      row.id = `qs-node-${index}`;
      row.dataset.place = String(place);
      put(row, "aria-level", String(node.depth + 1));
      put(row, "aria-rowindex", String(place + 1));
      if (parent) put(row, "aria-expanded", String(node.open)); else row.removeAttribute("aria-expanded");
      row.classList.toggle("qs-active", place === this.active);
      name.style.paddingLeft = `${node.depth * 16}px`;
      twist.classList.toggle("qs-can", parent);
      write(label, node.label);
      label.title = node.full;
      label.classList.toggle("qs-leaf", node.tensor >= 0);
      write(tied, node.tied ? `= ${node.tied} (tied)` : "");
      const { structure } = this.tree;
      const kind = node.tensor >= 0 ? structure.kinds[structure.kind[node.tensor]] : null;
      write(shape, kind ? kind.shape.join(" × ") : "");
      const state = this.tree.stateOf(index);
      box.dataset.state = state;
      put(box, "aria-checked", ARIA[state]);
      put(box, "aria-label", node.full || structure.source);
      const [part, all] = this.tree.countsOf(index, this.choice);
      const largest = this.scale === "log" ? structure.total : all;
      meter.style.setProperty("--all", `${extent(all, largest, this.scale).toFixed(3)}%`);
      meter.style.setProperty("--part", `${extent(part, largest, this.scale).toFixed(3)}%`);
      meter.title = count.title = `${number.format(part)} of ${number.format(all)} train`;
      write(count, part ? short(part) : "–");
      row.classList.toggle("qs-trains", part > 0);
    }
    onClick(event) {
      const row = event.target.closest(".qs-node");
      if (!row || !this.tree) return;
      const place = Number(row.dataset.place), index = this.tree.visible[place];
      const twist = event.target.closest(".qs-twist");
      this.active = place;
      if (twist && this.tree.hasChildren(index)) this.open(index, !this.tree.nodes[index].open);
      else if (event.shiftKey && this.anchor) this.fillTo(place);
      else {
        this.anchor = { place, value: this.tree.stateOf(index) === ON ? 0 : 1 };
        this.choice.toggle(this.tree.tensorsOf(index));
      }
      this.redraw();
    }
    fillTo(place) {
      const tensors = new Set();
      const [from, to] = [Math.min(place, this.anchor.place), Math.max(place, this.anchor.place)];
      for (let i = from; i <= to; i++) {
        const index = this.tree.visible[i];
        if (this.tree.nodes[index].open && this.tree.hasChildren(index)) continue; // its rows follow
        for (const t of this.tree.tensorsOf(index)) tensors.add(t);
      }
      this.choice.set([...tensors], this.anchor.value);
    }
    open(index, open) {
      this.tree.nodes[index].open = open;
      this.relist(index);
    }
    relist(index) {
      this.tree.refresh();
      this.anchor = null;
      this.active = Math.max(0, this.tree.visible.indexOf(index));
      this.rows.resize(this.tree.visible.length);
      this.rows.reveal(this.active);
    }
    onKey(event) {
      if (!this.tree || event.altKey) return;
      const acted = this.act(event) || this.move(event);
      if (acted) this.typed.end();
      if (!acted && !this.type(event)) return;
      event.preventDefault();
      event.stopPropagation();
      this.redraw();
    }
    act(event) {
      const index = this.tree.visible[this.active], control = event.ctrlKey || event.metaKey;
      if (control && event.key.toLowerCase() === "a") this.choice.toggle(this.tree.structure.everything);
      else if (event.key === " ") this.choice.toggle(this.tree.tensorsOf(index));
      else if (event.key === "*") {
        const { depth, parent } = this.tree.nodes[index];
        for (const node of this.tree.nodes) if (node.depth === depth && node.parent === parent) node.open = true;
        this.relist(index);
      } else return false;
      return true;
    }
    move(event) {
      const index = this.tree.visible[this.active], node = this.tree.nodes[index];
      const from = this.active, last = this.tree.visible.length - 1;
      let to = from;
      switch (event.key) {
        case "ArrowUp": to -= 1; break;
        case "ArrowDown": to += 1; break;
        case "ArrowRight":
          if (!this.tree.hasChildren(index)) return true;
          if (!node.open) { this.open(index, true); return true; }
          to += 1; break;
        case "ArrowLeft":
          if (node.open && this.tree.hasChildren(index)) { this.open(index, false); return true; }
          if (node.parent >= 0) to = this.tree.visible.indexOf(node.parent);
          break;
        case "Home": to = 0; break;
        case "End": to = last; break;
        case "PageUp": to -= this.rows.page; break;
        case "PageDown": to += this.rows.page; break;
        default: return false;
      }
      this.active = Math.max(0, Math.min(last, to));
      if (event.shiftKey && event.key.startsWith("Arrow")) {
        if (!this.anchor) this.anchor = { place: from, value: this.tree.stateOf(index) === ON ? 1 : 0 };
        this.fillTo(this.active);
      } else this.anchor = null;
      this.rows.reveal(this.active);
      return true;
    }
    type(event) {
      if (event.key.length !== 1 || event.ctrlKey || event.metaKey) return false;
      const typed = this.typed.add(event), { visible, nodes } = this.tree;
      for (let step = typed.length > 1 ? 0 : 1; step <= visible.length; step++) {
        const place = (this.active + step) % visible.length;
        if (nodes[visible[place]].label.toLowerCase().startsWith(typed)) { this.active = place; break; }
      }
      this.rows.reveal(this.active);
      return true;
    }
  }

  window.QwenSelector = { Structure, Choice, GridView, TreeView, Tree, make, write, number, short, extent };
})();
