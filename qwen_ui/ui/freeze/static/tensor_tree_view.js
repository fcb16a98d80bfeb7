/* The module tree with a checkbox a row, over the same selection as the grid. */
import { make, put, write } from "qwen/page/dom.js";
import { exact, shapeText, shortCount } from "qwen/page/format.js";
import { TreeView } from "qwen/page/tree_view.js";
import { setMeter } from "./bar_scale.js";
import { ARIA_CHECKED, ON } from "./check_state.js";
import { UNREACHED } from "./grid_places.js";
import { TensorTree } from "./tensor_tree.js";

const ROW_HEIGHT = 26;
const INDENT = 16;

export class TensorTreeView extends TreeView {
  constructor(root) {
    const canvas = make("div", "qs-canvas");
    canvas.setAttribute("role", "rowgroup");
    root.append(canvas);
    super(root, canvas, ROW_HEIGHT, "qs-node");
    this.anchor = null; // {row, value}: where a range begins, and the state that it gives
    this.scale = "linear";
  }

  /** Another model. Its tree is made when it is first looked at. */
  showSelection(selection) {
    this.selection = selection;
    this.anchor = null;
    this.clear();
    this.redraw();
  }

  redraw() {
    if (!this.selection || this.root.hidden) return;
    if (this.tree) {
      this.tree.measure(this.selection);
      this.refresh();
      return;
    }
    const tree = new TensorTree(this.selection.structure);
    tree.measure(this.selection);
    this.show(tree);
    this.countRows();
  }

  countRows() {
    put(this.root, "aria-rowcount", String(this.tree.visible.length));
  }

  makeRow() {
    const row = make("div", "qs-node");
    row.setAttribute("role", "row");
    const name = make("div", "qs-node-name");
    name.setAttribute("role", "gridcell");
    const twist = make("span", "qs-twist");
    twist.dataset.twist = "";
    const box = make("span", "qs-box");
    box.setAttribute("role", "checkbox");
    name.append(twist, box, make("span", "qs-node-label notranslate"), make("span", "qs-tied"));
    const meter = make("div", "qs-meter");
    meter.append(make("i"));
    row.append(name, make("span", "qs-shape"), meter, make("div", "qs-count"));
    return row;
  }

  fillRow(node, row, place) {
    const { tensor } = this.tree.rows[row];
    const [name, shape, meter, count] = node.children;
    put(node, "aria-rowindex", String(place + 1));
    node.classList.toggle("qs-active", row === this.active);
    this.fillName(name, row);
    const shown = tensor >= 0 ? shapeText(this.tree.structure.shapeOf(tensor)) : "";
    write(shape, shown);
    const [part, all] = this.tree.countsOf(row, this.selection);
    setMeter(meter, part, all, this.scale === "log" ? this.tree.structure.total : all, this.scale);
    meter.title = count.title = `${exact(part)} of ${exact(all)} train`;
    write(count, part ? shortCount(part) : "–");
    node.classList.toggle("qs-trains", part > 0);
  }

  fillName(cell, row) {
    const { label: text, name, depth, tensor, tied: other } = this.tree.rows[row];
    const [twist, box, label, tied] = cell.children;
    cell.style.paddingLeft = `${depth * INDENT}px`;
    twist.classList.toggle("qs-can", this.tree.hasChildren(row));
    write(label, text);
    label.classList.toggle("qs-leaf", tensor >= 0);
    write(tied, other ? `= ${other} (tied)` : "");
    const state = this.tree.stateOf(row);
    box.dataset.state = state;
    put(box, "aria-checked", ARIA_CHECKED[state]);
    put(box, "aria-label", name || this.tree.structure.source);
    const unreached = this.tree.isUnreached(row);
    put(box, "aria-disabled", String(unreached));
    cell.classList.toggle("qs-unreached", unreached);
    label.title = unreached ? `${name}\n${UNREACHED}` : name;
  }

  labelOf(row) {
    return this.tree.rows[row].label;
  }

  relist() {
    this.anchor = null;
    super.relist();
    this.countRows();
  }

  /** The row that is opened or closed becomes the active one. */
  toggle(row, open = undefined) {
    super.toggle(row, open);
    this.activate(row);
  }

  press(row, event) {
    if (event.shiftKey && this.anchor) this.fillTo(row);
    else {
      this.anchor = { row, value: this.tree.stateOf(row) === ON ? 0 : 1 };
      this.selection.toggle(this.tree.tensorsOf(row));
    }
    this.tree.measure(this.selection);
    this.activate(row);
  }

  fillTo(row) {
    this.selection.set(this.tree.tensorsBetween(this.anchor.row, row), this.anchor.value);
  }

  actOn(event) {
    const control = event.ctrlKey || event.metaKey;
    if (control && event.key.toLowerCase() === "a") {
      this.selection.toggle(this.tree.structure.everything);
    } else if (event.key === " ") this.selection.toggle(this.tree.tensorsOf(this.active));
    else return false;
    this.redraw();
    return true;
  }

  /** Shift with an arrow carries the state of the row that it started from. */
  follow(action, event) {
    const from = this.active;
    super.follow(action, event);
    if (action.to === undefined) return;
    if (!event.shiftKey || !event.key.startsWith("Arrow")) {
      this.anchor = null;
      return;
    }
    this.anchor ??= { row: from, value: this.tree.stateOf(from) === ON ? 1 : 0 };
    this.fillTo(this.active);
    this.redraw();
  }
}
