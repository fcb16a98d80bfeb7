/* Which of grid and tree is shown, the scale of the bars, undo and redo. */
import { write } from "qwen/page/dom.js";
import { checkOne } from "./radio.js";

const HINTS = {
  grid:
    "Click, drag or Shift+click to paint. Keys: arrows, Space, Shift+Space the row, " +
    "Ctrl+Space the column, Ctrl+A all; type a number or a name to find it.",
  tree:
    "Click a row to tick it, its arrow to open it. Keys: arrows, Space, * opens all " +
    "its siblings, Ctrl+A all; type a name to find it.",
};

export class ViewTools {
  constructor(tab) {
    this.tab = tab;
    this.undo = tab.find("[data-do=undo]");
    this.redo = tab.find("[data-do=redo]");
    write(tab.find(".qs-hint"), HINTS.grid);
    tab.find(".qs-choose").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.onClick(button);
    });
    tab.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** Whether there is anything to undo or redo. */
  show() {
    const { past, future } = this.tab.selection.history;
    this.undo.disabled = !past.length;
    this.redo.disabled = !future.length;
    this.undo.hidden = this.redo.hidden = !past.length && !future.length;
  }

  onClick(button) {
    const { view, scale } = button.dataset;
    if (view) this.showView(view);
    if (scale) {
      for (const part of [this.tab.totals, this.tab.grid, this.tab.tree]) part.scale = scale;
    }
    if (view || scale) {
      checkOne(button);
      this.tab.redraw();
    }
    if (button === this.undo) this.tab.selection?.undo();
    if (button === this.redo) this.tab.selection?.redo();
  }

  showView(view) {
    this.tab.grid.root.hidden = view !== "grid";
    this.tab.tree.root.hidden = view !== "tree";
    write(this.tab.find(".qs-hint"), HINTS[view]);
  }

  onKey(event) {
    if (!(event.ctrlKey || event.metaKey)) return;
    if (event.target.matches("input, textarea, select")) return; // they undo their own text
    const key = event.key.toLowerCase();
    const { selection } = this.tab;
    if (!selection || (key !== "z" && key !== "y")) return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) selection.redo();
    else selection.undo();
  }
}
