/* A virtual list: rows of equal height in a scroller, of which only those in view have nodes. */

const MARGIN = 6; // rows drawn beyond each edge, so that a quick scroll shows no gap

/**
 * The first and the last row to draw.
 *
 * @param {number} top pixels scrolled
 * @param {number} room pixels in view
 * @param {number} height pixels of a row
 * @param {number} count rows in all
 * @returns {[number, number]} both included; the last is below the first where there are none
 */
export function rowsInView(top, room, height, count) {
  const first = Math.max(0, Math.floor(top / height) - MARGIN);
  const last = Math.min(count - 1, Math.ceil((top + room) / height) + MARGIN);
  return [first, last];
}

export class VirtualList {
  /**
   * @param {HTMLElement} scroller the element that scrolls
   * @param {HTMLElement} canvas its child, which is made as high as all rows
   * @param {object} rows what draws them: `height` in pixels, `make()` a node, `fill(node, row)`
   *   (a node may have stood for another row), and `keep()`, the row that has a node even out of
   *   view (-1 for none): aria-activedescendant must name a node that exists
   */
  constructor(scroller, canvas, rows) {
    this.scroller = scroller;
    this.canvas = canvas;
    this.rows = rows;
    this.count = 0;
    this.headHeight = 0;
    this.nodes = new Map();
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(scroller);
  }

  /** Other rows: nothing drawn so far is used again. `headHeight`: pixels of a sticky head. */
  reset(count, headHeight = 0) {
    this.headHeight = headHeight;
    this.nodes.clear();
    this.canvas.replaceChildren();
    this.resize(count);
  }

  /** More or fewer rows. */
  resize(count) {
    this.count = count;
    this.canvas.style.height = `${count * this.rows.height}px`;
    this.refresh();
  }

  /** Fills every drawn row anew: what they show has changed. */
  refresh() {
    this.draw(true);
  }

  draw(refill = false) {
    const wanted = this.wanted();
    const spare = [];
    for (const [row, node] of this.nodes) {
      if (wanted.has(row)) continue;
      spare.push(node);
      this.nodes.delete(row);
    }
    for (const row of wanted) {
      const drawn = this.nodes.get(row);
      const node = drawn ?? this.place(spare.pop(), row);
      if (refill || !drawn) this.rows.fill(node, row);
    }
    for (const node of spare) node.remove();
  }

  wanted() {
    const { scrollTop, clientHeight } = this.scroller;
    const [first, last] = rowsInView(scrollTop, clientHeight, this.rows.height, this.count);
    const wanted = new Set();
    for (let row = first; row <= last; row++) wanted.add(row);
    const keep = this.rows.keep();
    if (keep >= 0 && keep < this.count) wanted.add(keep);
    return wanted;
  }

  /** A node for this row, a spare one where there is one. */
  place(spare, row) {
    const node = spare ?? this.rows.make();
    if (!spare) this.canvas.append(node);
    node.style.transform = `translateY(${row * this.rows.height}px)`;
    this.nodes.set(row, node);
    return node;
  }

  /** Scrolls as little as shows the row. What is in view then is drawn by a `refresh`. */
  reveal(row) {
    const { scroller } = this;
    const top = row * this.rows.height;
    const bottom = top + this.rows.height - (scroller.clientHeight - this.headHeight);
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop) scroller.scrollTop = bottom;
  }

  /** Rows that PageUp and PageDown move by. */
  get page() {
    const room = this.scroller.clientHeight - this.headHeight;
    return Math.max(1, Math.floor(room / this.rows.height) - 1);
  }
}
