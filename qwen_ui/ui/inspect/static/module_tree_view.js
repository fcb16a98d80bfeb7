/* The module tree on the page: what a row looks like, and what clicks and keys do besides. */
import { make, put, write } from "qwen/page/dom.js";
import { bytes as shortBytes, exact, percent, shortCount } from "qwen/page/format.js";
import { TreeView } from "qwen/page/tree_view.js";
import { FOLD, FROZEN, PARTLY, TRAINS } from "./module_tree.js";

const ROW_HEIGHT = 28;
const CLASS_OF_TYPE = ["is-module", "is-tensor", "is-fold"];
const STATES = ["frozen", "partly trained", "trained"];

const inRoleColour = (node, role) => {
  node.style.background = role ? `var(--q-role-${role})` : "";
};

const writeWithTitle = (node, text, title) => {
  write(node, text);
  node.title = title;
};

export class ModuleTreeView extends TreeView {
  /** @param {(row: number) => void} onSelect told which row is selected: the active one */
  constructor(root, onSelect) {
    super(root, root.querySelector(".qi-canvas"), ROW_HEIGHT, "qi-row");
    this.onSelect = onSelect;
    root.addEventListener("dblclick", (event) => this.onDoubleClick(event));
  }

  show(tree) {
    super.show(tree);
    this.root.dataset.rows = tree.length;
    this.onSelect(0);
  }

  activate(row) {
    super.activate(row);
    this.onSelect(row);
  }

  /** Shows a module or tensor by its name, wherever it is folded away. */
  go(name) {
    const row = this.tree.rowOf(name);
    if (row < 0) return;
    this.tree.openPath(row);
    this.relist();
    this.activate(row);
  }

  openAll(open) {
    this.tree.openAll(open);
    this.relist();
    if (this.tree.place[this.active] < 0) this.activate(0);
  }

  /* ---- keys and clicks ---- */

  labelOf(row) {
    return this.tree.label[row];
  }

  press(row) {
    this.activate(row);
  }

  onDoubleClick(event) {
    const row = this.tree ? this.rowOf(event.target) : -1;
    if (row >= 0 && !this.onTwist(event, row)) this.toggle(row);
  }

  onKey(event) {
    if (!event.ctrlKey && !event.metaKey) super.onKey(event);
  }

  actOn(event) {
    const typesOn = event.key === " " && this.typed.continues(event);
    if (typesOn || (event.key !== "Enter" && event.key !== " ")) return false;
    this.toggle(this.active);
    return true;
  }

  /* ---- rows ---- */

  makeRow() {
    const node = make("div", "qi-row");
    node.setAttribute("role", "treeitem");
    const name = make("span", "qi-name");
    const twist = make("span", "qi-twist");
    twist.dataset.twist = "";
    const parts = ["dot", "label", "tied", "layer-type"].map((part) => make("span", `qi-${part}`));
    parts[1].translate = false;
    name.append(twist, ...parts);
    const bar = make("span", "qi-bar");
    bar.append(make("i"));
    const figures = ["what", "count", "bytes", "share"].map((part) => make("span", `qi-${part}`));
    const drawn = [make("span", "qi-state"), name, ...figures, bar];
    for (const part of drawn) part.ariaHidden = "true";
    // Spoken in place of the cells: with the exact count, and without what is said by a length.
    node.append(...drawn, make("span", "q-spoken"));
    return node;
  }

  fillRow(node, row) {
    const { tree } = this;
    const [state, name, ...figures] = node.children;
    node.className = `qi-row ${CLASS_OF_TYPE[tree.type[row]]}`;
    node.classList.toggle("is-match", tree.isMatch(row));
    put(node, "aria-setsize", String(tree.siblingsOf(row)));
    put(node, "aria-posinset", String(tree.position[row]));
    put(node, "aria-selected", String(row === this.active));
    write(node.lastChild, this.spoken(row));
    this.fillState(state, row);
    this.fillName(name, row);
    this.fillFigures(figures, row);
  }

  spoken(row) {
    const { label, what, count, role, tied, state } = this.tree;
    const parts = [label[row], what[row], `${exact(count[row])} parameters`, role[row]];
    if (tied[row]) parts.push(`the same tensor as ${tied[row]}`);
    if (count[row]) parts.push(STATES[state[row]]);
    return parts.filter(Boolean).join(", ");
  }

  fillState(cell, row) {
    const state = this.tree.count[row] ? this.tree.state[row] : FROZEN;
    cell.classList.toggle("partly", state === PARTLY);
    cell.classList.toggle("trains", state === TRAINS);
    const said = state === TRAINS ? "Trained by the plan" : "Partly trained by the plan";
    cell.title = state === FROZEN ? "" : said;
  }

  fillName(cell, row) {
    const { tree } = this;
    const [twist, dot, label, tied, layerType] = cell.children;
    cell.style.setProperty("--depth", tree.depth[row]);
    twist.classList.toggle("can", tree.hasChildren(row));
    inRoleColour(dot, tree.role[row]);
    writeWithTitle(label, tree.label[row], tree.name[row]);
    tied.hidden = !tree.tied[row];
    write(tied, tied.hidden ? "" : `= ${tree.tied[row]}`);
    layerType.hidden = tree.type[row] !== FOLD || !tree.what[row];
    write(layerType, layerType.hidden ? "" : tree.what[row]);
  }

  fillFigures([what, count, bytes, share, bar], row) {
    const { tree } = this;
    const part = tree.total ? tree.count[row] / tree.total : 0;
    what.hidden = tree.type[row] === FOLD; // a fold's name takes two columns
    what.translate = tree.depth[row] === 0; // "the whole model"; all others are classes and shapes
    writeWithTitle(what, tree.what[row], tree.what[row]);
    const parameters = `${exact(tree.count[row])} parameters`;
    writeWithTitle(count, shortCount(tree.count[row]), parameters);
    writeWithTitle(bytes, shortBytes(tree.bytes[row]), `${exact(tree.bytes[row])} bytes`);
    writeWithTitle(share, percent(part), percent(part));
    bar.firstChild.style.width = `${100 * part}%`;
    inRoleColour(bar.firstChild, tree.role[row]);
  }
}
