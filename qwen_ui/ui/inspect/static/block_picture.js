/* The picture of a block beside the tree, with the selected module lit. */
import { messageOf } from "qwen/page/api.js";
import { make, setMarkup, write } from "qwen/page/dom.js";

/**
 * The path of the shape that stands for a path inside a block: its own, or that of the module that
 * holds it; "" for none.
 *
 * @param {string[]} shapes the paths that are drawn
 */
export const shapeOf = (shapes, inside) => {
  let path = inside;
  while (path && !shapes.includes(path)) path = path.slice(0, Math.max(0, path.lastIndexOf(".")));
  return path;
};

export class BlockPicture {
  /** @param {(source: string, block: number) => Promise<{svg: string}>} draw */
  constructor(figure, draw) {
    this.caption = figure.querySelector("figcaption");
    this.picture = figure.querySelector(".qi-picture");
    this.draw = draw;
    this.drawings = new Map(); // by model and form; see ModuleTree.formOf
    this.shown = "";
  }

  /** Shows the block of a row, or the first one; `activeRow()` is the one to light by then. */
  async show(tree, row, activeRow) {
    if (!tree.blocks) {
      this.clear();
      return;
    }
    const { block } = tree.whereIs(tree.name[row]);
    const form = `${tree.source}/${tree.formOf(block)}`;
    write(this.caption, `Block ${block}`);
    if (this.shown !== form) {
      this.shown = form;
      await this.put(form, tree.source, block);
      if (this.shown !== form) return; // another one meanwhile
    }
    const now = tree.whereIs(tree.name[activeRow()]);
    this.light(`${tree.stack}.${now.block}`, now.inside);
  }

  clear() {
    this.shown = "";
    write(this.caption, "");
    this.picture.replaceChildren();
  }

  async put(form, source, block) {
    if (!this.drawings.has(form)) {
      write(this.picture, "Drawing …");
      this.drawings.set(form, this.draw(source, block));
    }
    try {
      const { svg } = await this.drawings.get(form);
      if (this.shown === form) setMarkup(this.picture, svg);
    } catch (error) {
      this.drawings.delete(form); // the next selection asks again
      if (this.shown !== form) return;
      this.shown = "";
      this.picture.replaceChildren(make("p", "qi-wait", messageOf(error)));
    }
  }

  /** Lights the shape of a module or tensor, and marks those that hold it. */
  light(block, inside) {
    const svg = this.picture.querySelector("svg");
    if (!svg) return;
    svg.dataset.block = block;
    const shapes = [...svg.querySelectorAll("[data-inside]")];
    const paths = shapes.map((shape) => shape.dataset.inside);
    const lit = shapeOf(paths, inside);
    for (const shape of shapes) {
      const own = shape.dataset.inside;
      shape.classList.toggle("lit", lit !== "" && own === lit);
      shape.classList.toggle("holds", lit.startsWith(`${own}.`));
    }
  }
}

/** The full name of the module that a shape stands for. */
export const nameOfShape = (shape) => {
  const { block } = shape.closest("svg").dataset;
  return `${block}.${shape.dataset.inside}`;
};
