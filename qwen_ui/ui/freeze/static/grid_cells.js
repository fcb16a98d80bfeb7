/* The nodes of the grid: its two head rows and its body rows. They show the `view`'s selection,
   heat, marks and active place. */
import { make, put, write } from "qwen/page/dom.js";
import { exact, shortCount } from "qwen/page/format.js";
import { setMeter } from "./bar_scale.js";
import { ARIA_CHECKED, NONE } from "./check_state.js";
import { HEADS } from "./grid_places.js";

const idOf = (r, c) => `qs-${r}-${c}`;

/** The id of the box that shows a place, for aria-activedescendant. */
export const boxId = (places, at) => {
  const { r, c } = places.shownAt(at);
  return idOf(r, c);
};

const makeBox = () => {
  const box = make("span", "qs-box");
  box.setAttribute("role", "checkbox");
  return box;
};

const showState = (box, state) => {
  if (box.dataset.state === state) return;
  box.dataset.state = state;
  if (state === NONE) box.removeAttribute("aria-checked");
  else box.setAttribute("aria-checked", ARIA_CHECKED[state]);
};

const setClass = (node, name, on) => {
  if (node.classList.contains(name) !== on) node.classList.toggle(name, on);
};

/* `share`: 0 to 1 on the heat's scale, null or NaN for none. */
const shade = (node, share) => {
  const heat = share === null || Number.isNaN(share) ? "" : share.toFixed(3);
  if ((node.dataset.heat ?? "") === heat) return;
  if (heat) {
    node.dataset.heat = heat;
    node.style.setProperty("--heat", heat);
  } else {
    delete node.dataset.heat;
    node.style.removeProperty("--heat");
  }
};

export class GridHead {
  constructor(view, node) {
    this.view = view;
    this.node = node;
  }

  draw() {
    const { roles, columns } = this.view.places.structure;
    const first = make("div", "qs-row qs-roles");
    const second = make("div", "qs-row qs-kinds");
    first.append(
      this.cell(0, 0, "All", "qs-corner"),
      ...roles.map((role) => this.roleCell(role)),
      make("div", "qs-bar-head", "of the block"),
    );
    second.append(
      this.cell(1, 0, "Blocks", "qs-corner"),
      ...columns.map((column) => this.kindCell(column)),
      make("div", "qs-bar-head qs-bar-right", "trains"),
    );
    for (const row of [first, second]) row.setAttribute("role", "row");
    this.node.replaceChildren(first, second);
  }

  roleCell({ role, start, size }) {
    const cell = this.cell(0, start + 1, role, "qs-role");
    cell.style.gridColumn = `span ${size}`;
    cell.style.setProperty("--role", `var(--q-role-${role})`);
    put(cell, "aria-colspan", String(size));
    return cell;
  }

  kindCell({ label, short, kinds, index }) {
    const cell = this.cell(1, index + 1, short, "qs-kind");
    const several = kinds.length > 1 && label.includes("*");
    cell.firstChild.translate = false;
    cell.title = several ? `${label} (${kinds.length} kinds)` : label;
    return cell;
  }

  cell(r, c, text, className) {
    const cell = make("div", `qs-cellbox ${className}`);
    cell.setAttribute("role", "columnheader");
    cell.dataset.at = `${r}:${c}`;
    const box = makeBox();
    box.id = idOf(r, c);
    box.setAttribute("aria-label", this.view.places.labelAt(r, c));
    cell.append(make("span", "qs-head-text", text), box);
    return cell;
  }

  paint() {
    const { places, selection, at } = this.view;
    const active = places.shownAt(at);
    for (const cell of this.node.querySelectorAll("[data-at]")) {
      const [r, c] = cell.dataset.at.split(":").map(Number);
      showState(cell.lastChild, selection.stateOf(places.tensorsAt(r, c)));
      setClass(cell, "qs-active", active.r === r && active.c === c);
    }
  }
}

export class GridRows {
  constructor(view) {
    this.view = view;
  }

  make() {
    const row = make("div", "qs-row qs-body");
    row.setAttribute("role", "row");
    row.append(this.cell("rowheader", "qs-rowhead", make("span", "qs-row-text")));
    for (let c = 1; c <= this.view.places.last.c; c++) row.append(this.cell("gridcell", "qs-cell"));
    const meter = make("div", "qs-meter");
    meter.append(make("i"));
    row.append(meter, make("div", "qs-count"));
    return row;
  }

  cell(role, className, ...more) {
    const cell = make("div", `qs-cellbox ${className}`);
    cell.setAttribute("role", role);
    cell.append(makeBox(), ...more);
    return cell;
  }

  /** A node may have stood for another row: everything that tells rows apart is set anew. */
  fill(node, index) {
    const { places } = this.view;
    const r = index + HEADS;
    const cells = node.children;
    if (node.dataset.row !== String(index)) {
      node.dataset.row = String(index);
      put(node, "aria-rowindex", String(r + 1));
      node.classList.toggle("qs-outside", places.isOutside(r));
      for (let c = 0; c <= places.last.c; c++) this.name(cells[c], r, c);
      write(cells[0].lastChild, places.rowLabel(r));
    }
    for (let c = 0; c <= places.last.c; c++) this.paint(cells[c], r, c);
    this.paintMeter(node, places.rowAt(r));
  }

  name(cell, r, c) {
    const { places } = this.view;
    const box = cell.firstChild;
    const none = places.tensorsAt(r, c).length === 0;
    cell.dataset.at = `${r}:${c}`;
    box.id = idOf(r, c);
    cell.classList.toggle("qs-none", none);
    const unreached = places.structure.isUnreached(places.tensorsAt(r, c));
    cell.classList.toggle("qs-unreached", unreached);
    if (none) {
      box.removeAttribute("role");
      box.removeAttribute("aria-label");
      box.removeAttribute("aria-disabled");
    } else {
      put(box, "role", "checkbox");
      put(box, "aria-label", places.labelAt(r, c));
      put(box, "aria-disabled", String(unreached));
    }
  }

  paint(cell, r, c) {
    const { places, selection, at } = this.view;
    const tensors = places.tensorsAt(r, c);
    const state = selection.stateOf(tensors);
    showState(cell.firstChild, state);
    if (c === 0) this.shadeHead(cell, places.rowAt(r));
    else if (state !== NONE) this.shadeCell(cell, tensors);
    setClass(cell, "qs-active", at.r === r && at.c === c);
  }

  shadeHead(cell, { block }) {
    const { heat } = this.view;
    shade(cell, heat && block >= 0 ? heat.blockOf(block) : null);
  }

  shadeCell(cell, tensors) {
    const { heat, marked } = this.view;
    setClass(cell, "qs-marked", marked !== null && tensors.some((t) => marked[t]));
    shade(cell.firstChild, heat ? heat.cellOf(tensors) : null);
  }

  paintMeter(node, row) {
    const { places, selection, scale } = this.view;
    const { largestBlock, largestRow } = places.structure;
    const ofItsLike = row.block < 0 ? row.numel : largestBlock;
    const trained = selection.trainedOf(row.tensors);
    const [meter, count] = [...node.children].slice(-2);
    setMeter(meter, trained, row.numel, scale === "log" ? largestRow : ofItsLike, scale);
    const said = `${exact(trained)} of ${exact(row.numel)} train`;
    for (const one of [meter, count]) if (one.title !== said) one.title = said;
    write(count, trained ? shortCount(trained) : "–");
    node.classList.toggle("qs-trains", trained > 0);
  }
}
