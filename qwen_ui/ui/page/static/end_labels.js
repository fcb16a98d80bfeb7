/* The name of every line beside its end; a click hides and shows the line. They stand in the page,
   over the plot's right margin, and follow zoom, scale and size. */
import { button, make, write } from "./dom.js";
import { spread } from "./lines.js";

const GAP = 17; // pixels from label to label
const MIDDLE = 9; // from a label's top to the line it names

export class EndLabels {
  /** `toggle(key)` is called when a label is clicked. */
  constructor(plot, toggle) {
    this.plot = plot;
    this.toggle = toggle;
    this.node = make("div", "qr-labels");
    this.labels = [];
  }

  /** labels: {key, name, value, text, colour, hidden}; an old button is used again. */
  set(labels) {
    this.labels = labels;
    const nodes = this.node.children;
    while (nodes.length > labels.length) this.node.lastChild.remove();
    while (nodes.length < labels.length) this.node.append(this.makeLabel());
    labels.forEach((label, row) => this.fill(nodes[row], label));
    this.place();
  }

  makeLabel() {
    const node = button("", "qr-label", () => this.toggle(node.dataset.key));
    return node;
  }

  fill(node, label) {
    const text = label.text ? `${label.name} ${label.text}` : label.name;
    write(node, text);
    node.dataset.key = label.key;
    node.title = `${text}: hide or show`;
    node.style.color = label.colour;
    node.setAttribute("aria-pressed", String(!label.hidden));
  }

  place() {
    const full = this.plot._fullLayout;
    const axis = full?.yaxis;
    if (!axis || !this.labels.length) return;
    const top = full._size.t;
    const bottom = top + full._size.h;
    const ends = this.labels.map(({ value }) => {
      const pixel = axis._offset + axis.d2p(value);
      return Number.isFinite(pixel) ? pixel : bottom;
    });
    this.node.style.left = `${full._size.l + full._size.w + 6}px`;
    spread(ends, top, bottom, GAP).forEach((pixel, row) => {
      const { style } = this.node.children[row];
      style.transform = `translateY(${Math.round(pixel) - MIDDLE}px)`;
    });
  }
}
