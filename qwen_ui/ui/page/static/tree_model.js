/* A tree as rows in the order in which they are shown: which are open, filtered and visible. */

export class TreeModel {
  /** @param {ArrayLike<number>} depth of each row, the first row being the root (0) */
  constructor(depth) {
    this.depth = depth;
    this.length = depth.length;
    this.end = new Uint32Array(this.length); // first row behind the subtree
    this.parent = new Int32Array(this.length); // -1 of the root
    this.open = new Uint8Array(this.length);
    this.found = null; // under a filter: {match, shown, open}
    this.link();
    this.refresh();
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

  hasChildren(row) {
    return this.end[row] > row + 1;
  }

  /** A filter opens what leads to its matches, and leaves what was open before as it was. */
  get opened() {
    return this.found ? this.found.open : this.open;
  }

  isOpen(row) {
    return this.opened[row] === 1;
  }

  setOpen(row, open) {
    this.opened[row] = open ? 1 : 0;
    this.refresh();
  }

  openAll(open) {
    this.opened.fill(open ? 1 : 0);
    this.opened[0] = 1;
    this.refresh();
  }

  openPath(row) {
    for (let up = this.parent[row]; up >= 0; up = this.parent[up]) this.opened[up] = 1;
    this.refresh();
  }

  openSiblings(row) {
    const parent = this.parent[row];
    const last = parent < 0 ? this.length : this.end[parent];
    for (let other = Math.max(0, parent + 1); other < last; other = this.end[other]) {
      if (this.hasChildren(other)) this.opened[other] = 1;
    }
    this.refresh();
  }

  /** Shows the rows for which `test(row)` holds and what leads to them; returns how many match. */
  filter(test) {
    const { length } = this;
    const [match, shown, open] = Array.from({ length: 3 }, () => new Uint8Array(length));
    let matches = 0;
    for (let row = 0; row < length; row++) {
      if (!test(row)) continue;
      match[row] = shown[row] = 1;
      matches += 1;
      for (let up = this.parent[row]; up >= 0 && !open[up]; up = this.parent[up]) {
        open[up] = shown[up] = 1;
      }
    }
    this.found = { match, shown, open };
    this.refresh();
    return matches;
  }

  clearFilter() {
    this.found = null;
    this.refresh();
  }

  /** Whether a filter is on and this row is one that it looks for. */
  isMatch(row) {
    return this.found !== null && this.found.match[row] === 1;
  }

  /** The visible rows in order, and the place of each row among them (-1 where it is hidden). */
  refresh() {
    this.visible = [];
    this.place = new Int32Array(this.length).fill(-1);
    for (let row = 0; row < this.length;) {
      const hidden = this.found !== null && !this.found.shown[row];
      if (!hidden) this.place[row] = this.visible.push(row) - 1;
      row = !hidden && this.isOpen(row) ? row + 1 : this.end[row];
    }
    this.countSiblings();
  }

  countSiblings() {
    this.siblings = new Int32Array(this.length + 1); // by parent; the root's parent is -1
    this.position = new Int32Array(this.length); // from 1 on
    for (const row of this.visible) this.position[row] = ++this.siblings[this.parent[row] + 1];
  }

  /** How many visible rows the row's parent has, the row included. */
  siblingsOf(row) {
    return this.siblings[this.parent[row] + 1];
  }
}
