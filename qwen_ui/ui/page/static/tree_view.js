/**
 * A tree on the page, as a WAI-ARIA tree or treegrid with one tab stop: the active row is named by
 * aria-activedescendant, so that rows can come and go while the focus stays.
 *
 * A subclass says how a row looks (`makeRow`, `fillRow`), what it is called (`labelOf`), what its own
 * keys do (`actOn`) and what a click does (`press`).
 */
import { put } from "./dom.js";
import { treeAction } from "./tree_keys.js";
import { Typeahead, isTyped, nextStartingWith } from "./typeahead.js";
import { VirtualList } from "./virtual_list.js";

export class TreeView {
  /**
   * @param {HTMLElement} root the scroller, with its role
   * @param {HTMLElement} canvas its child that holds the rows
   * @param {number} height pixels of a row
   * @param {string} prefix of the rows' ids
   */
  constructor(root, canvas, height, prefix) {
    this.root = root;
    this.prefix = prefix;
    this.tree = null; // a TreeModel, once there is one
    this.active = 0;
    this.typed = new Typeahead();
    this.list = new VirtualList(root, canvas, {
      height,
      make: () => this.makeRow(),
      fill: (node, place) => this.fill(node, place),
      keep: () => (this.tree ? this.tree.place[this.active] : -1),
    });
    root.addEventListener("keydown", (event) => this.onKey(event));
    root.addEventListener("click", (event) => this.onClick(event));
  }

  /** Another tree, from its top. */
  show(tree) {
    this.tree = tree;
    this.active = 0;
    this.root.scrollTop = 0;
    this.list.reset(tree.visible.length);
    this.announce();
  }

  /** No tree. */
  clear() {
    this.tree = null;
    this.active = 0;
    this.list.reset(0);
  }

  /** Other rows are visible than before. */
  relist() {
    this.list.resize(this.tree.visible.length);
  }

  /** What the rows show has changed. */
  refresh() {
    this.list.refresh();
  }

  /** What both roles need of a row; the rest is the subclass's. */
  fill(node, place) {
    const { tree } = this;
    const row = tree.visible[place];
    node.id = `${this.prefix}-${row}`;
    node.dataset.row = String(row);
    put(node, "aria-level", String(tree.depth[row] + 1));
    if (tree.hasChildren(row)) put(node, "aria-expanded", String(tree.isOpen(row)));
    else node.removeAttribute("aria-expanded");
    this.fillRow(node, row, place);
  }

  /** Makes a row the active one, and shows it. */
  activate(row) {
    this.active = row;
    this.list.reveal(this.tree.place[row]);
    this.list.refresh();
    this.announce();
  }

  announce() {
    put(this.root, "aria-activedescendant", `${this.prefix}-${this.active}`);
  }

  /** Opens or closes a row. Where that hides the active row, this one becomes active. */
  toggle(row, open = !this.tree.isOpen(row)) {
    if (!this.tree.hasChildren(row)) return;
    this.tree.setOpen(row, open);
    this.relist();
    if (this.tree.place[this.active] < 0) this.activate(row);
  }

  rowOf(node) {
    const found = node.closest("[data-row]");
    return found ? Number(found.dataset.row) : -1;
  }

  /** Whether an event is on the arrow that opens and closes a row. */
  onTwist(event, row) {
    return event.target.closest("[data-twist]") !== null && this.tree.hasChildren(row);
  }

  onClick(event) {
    const row = this.tree ? this.rowOf(event.target) : -1;
    if (row < 0) return;
    if (this.onTwist(event, row)) this.toggle(row);
    else this.press(row, event);
  }

  onKey(event) {
    if (!this.tree || event.altKey) return;
    const acted = this.actOn(event) || this.move(event);
    if (acted) this.typed.end();
    if (!acted && !this.type(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  move(event) {
    const action = treeAction(event.key, this.tree, this.active, this.list.page);
    if (action) this.follow(action, event);
    return action !== null;
  }

  follow(action) {
    if (action.to !== undefined) this.activate(action.to);
    else if (action.open !== undefined) this.toggle(action.open, true);
    else if (action.close !== undefined) this.toggle(action.close, false);
    else if (action.openSiblings !== undefined) {
      this.tree.openSiblings(action.openSiblings);
      this.relist();
      this.activate(action.openSiblings);
    }
  }

  type(event) {
    if (!isTyped(event)) return false;
    const { visible, place } = this.tree;
    const text = this.typed.add(event);
    const labelAt = (at) => this.labelOf(visible[at]);
    const found = nextStartingWith(visible.length, labelAt, place[this.active], text);
    if (found >= 0) this.activate(visible[found]);
    return true;
  }
}
