/* A line over a chart where the pointer is in another. */
import { make } from "./dom.js";

export class Crosshair {
  constructor(plot) {
    this.plot = plot;
    this.node = make("div", "qr-crosshair");
    this.node.hidden = true;
  }

  /** Stand at this x; null hides it. */
  at(x) {
    const full = this.plot._fullLayout;
    const pixel = x === null || !full ? NaN : full.xaxis.d2p(x);
    const inside = pixel >= 0 && pixel <= full?._size.w;
    this.node.hidden = !inside;
    if (!inside) return;
    const { style } = this.node;
    style.left = `${full._size.l + pixel}px`;
    style.top = `${full._size.t}px`;
    style.height = `${full._size.h}px`;
  }
}
