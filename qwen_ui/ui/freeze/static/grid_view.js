/* The grid, blocks x kinds: what the mouse and keys do in it. It has one tab stop and names its
   active cell by aria-activedescendant, so that cells can come and go while the focus stays. */
import { make, put } from "qwen/page/dom.js";
import { isTyped, Typeahead } from "qwen/page/typeahead.js";
import { VirtualList } from "qwen/page/virtual_list.js";
import { boxId, GridHead, GridRows } from "./grid_cells.js";
import { placeAfterKey, placeAfterTyping, placeOfSpace } from "./grid_keys.js";
import { GridPlaces, HEADS } from "./grid_places.js";

const ROW_HEIGHT = 21;
const EDGE = 12; // pixels from the lower edge where a drag begins to scroll

export class GridView {
  constructor(root) {
    this.root = root;
    this.selection = null;
    this.at = { r: HEADS, c: 0 }; // the active place
    this.anchor = null; // {r, c, value}: where a range begins, and the state that it gives
    this.drag = null; // {last, value} while the button is down
    this.typed = new Typeahead();
    this.scale = "linear";
    this.heat = null; // a Heat (heat.js)
    this.marked = null; // states: what a regular expression found
    const head = make("div", "qs-head");
    const canvas = make("div", "qs-canvas");
    for (const part of [head, canvas]) part.setAttribute("role", "rowgroup");
    root.append(head, canvas);
    this.head = new GridHead(this, head);
    const rows = new GridRows(this);
    this.list = new VirtualList(root, canvas, {
      height: ROW_HEIGHT,
      make: () => rows.make(),
      fill: (node, row) => rows.fill(node, row),
      keep: () => this.at.r - HEADS,
    });
    this.listen();
  }

  listen() {
    const on = (type, act) => this.root.addEventListener(type, (event) => act(event));
    on("pointerdown", (event) => this.onPress(event));
    on("pointermove", (event) => this.onMove(event));
    on("pointerup", () => this.onRelease());
    on("pointercancel", () => this.onRelease());
    on("keydown", (event) => this.onKey(event));
    on("pointerover", (event) => this.onHover(event));
  }

  /** Another model. */
  show(selection) {
    this.selection = selection;
    this.places = new GridPlaces(selection.structure);
    this.at = this.places.start;
    this.anchor = null;
    const { columns, rows } = selection.structure;
    this.root.style.setProperty("--qs-kinds", columns.length);
    put(this.root, "aria-rowcount", String(rows.length + HEADS));
    put(this.root, "aria-colcount", String(columns.length + 1));
    this.head.draw();
    this.list.reset(rows.length, this.head.node.offsetHeight);
    this.root.scrollTop = 0;
    this.redraw();
  }

  redraw() {
    if (!this.selection || this.root.hidden) return;
    this.head.paint();
    this.list.refresh();
    put(this.root, "aria-activedescendant", boxId(this.places, this.at));
  }

  reveal() {
    if (this.at.r >= HEADS) this.list.reveal(this.at.r - HEADS);
    this.redraw();
  }

  tensorsAt({ r, c }) {
    return this.places.tensorsAt(r, c);
  }

  placeOf(node) {
    const cell = node?.closest?.("[data-at]");
    if (!cell || !this.root.contains(cell)) return null;
    const [r, c] = cell.dataset.at.split(":").map(Number);
    return { r, c };
  }

  /* ---- the mouse ---- */

  onHover(event) {
    const place = this.placeOf(event.target);
    if (!place || place.r < HEADS || !this.tensorsAt(place).length) return;
    event.target.closest("[data-at]").title = this.places.titleAt(place.r, place.c, this.heat);
  }

  onPress(event) {
    const place = event.button === 0 ? this.placeOf(event.target) : null;
    if (!place || !this.selection) return;
    this.root.focus({ preventScroll: true });
    event.preventDefault();
    this.at = place;
    if (event.shiftKey && this.anchor) {
      this.fillTo(place);
      return;
    }
    const tensors = this.tensorsAt(place);
    const value = this.selection.opposite(tensors);
    this.anchor = { ...place, value };
    this.drag = { last: place, value };
    this.root.setPointerCapture(event.pointerId);
    this.selection.begin();
    this.selection.paint(tensors, value);
    this.redraw();
  }

  onMove(event) {
    if (!this.drag) return;
    this.scrollAtEdge(event.clientY);
    const { last, value } = this.drag;
    const place = this.placeOf(document.elementFromPoint(event.clientX, event.clientY));
    if (!place || (place.r === last.r && place.c === last.c)) return;
    // A drag stays among its like: cells, row boxes or heads.
    if (place.r < HEADS !== last.r < HEADS || (place.c === 0) !== (last.c === 0)) return;
    this.selection.paint(this.places.line(last, place), value);
    this.drag.last = this.at = place;
  }

  scrollAtEdge(y) {
    const { top, bottom } = this.root.getBoundingClientRect();
    if (y > bottom - EDGE) this.root.scrollTop += ROW_HEIGHT;
    const aboveRows = y < top + this.list.headHeight;
    if (aboveRows && this.drag.last.r >= HEADS) this.root.scrollTop -= ROW_HEIGHT;
  }

  onRelease() {
    if (!this.drag) return;
    this.drag = null;
    this.selection.commit();
  }

  /** All between the anchor and here takes the anchor's state, as one step. */
  fillTo(place) {
    this.selection.set(this.places.rectangle(this.anchor, place), this.anchor.value);
    this.redraw();
  }

  /* ---- keys ---- */

  onKey(event) {
    if (!this.selection || event.altKey) return;
    const acted = this.act(event) || this.move(event);
    if (acted) this.typed.end();
    if (!acted && !this.type(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  act(event) {
    const control = event.ctrlKey || event.metaKey;
    if (control && event.key.toLowerCase() === "a") {
      this.selection.toggle(this.places.structure.everything);
    } else if (event.key === " ") {
      const tensors = this.tensorsAt(placeOfSpace(event, this.at));
      this.anchor = { ...this.at, value: this.selection.opposite(tensors) };
      this.selection.toggle(tensors);
    } else return false;
    return true;
  }

  move(event) {
    const from = this.at;
    const place = placeAfterKey(event, from, this.places, this.list.page);
    if (!place) return false;
    this.at = place;
    if (event.shiftKey) this.extend(from);
    else this.anchor = null;
    this.reveal();
    return true;
  }

  /** Shift with an arrow carries the state of the cell that it started from. */
  extend(from) {
    this.anchor ??= { ...from, value: 1 - this.selection.opposite(this.tensorsAt(from)) };
    this.fillTo(this.at);
  }

  type(event) {
    if (!isTyped(event) || event.key === " ") return false;
    this.at = placeAfterTyping(this.typed.add(event), this.at, this.places);
    this.reveal();
    return true;
  }
}
