/* A long curve is thinned by the server; the part that is zoomed to is asked for by itself. */

const PAUSE_MS = 120; // a wheel that is turned is one zoom
const CLOCK = {
  set: (callback, milliseconds) => setTimeout(callback, milliseconds),
  clear: (timer) => clearTimeout(timer),
};

export class ZoomDetail {
  /**
   * @param ask is given [low, high] and answers with what is there.
   * @param show is given that answer.
   * @param restore shows the whole again; it is called only where a part was shown.
   */
  constructor({ ask, show, restore, clock = CLOCK }) {
    Object.assign(this, { ask, show, restore, clock });
    this.range = null;
    this.shown = false;
    this.timer = null;
  }

  /** Show what lies in a range; null for the whole. */
  to(range) {
    this.range = range;
    this.clock.clear(this.timer);
    if (range) {
      this.timer = this.clock.set(() => this.fetch(range), PAUSE_MS);
    } else if (this.shown) {
      this.shown = false;
      this.restore();
    }
  }

  async fetch(range) {
    const answer = await this.ask(range);
    if (range !== this.range) return;
    this.shown = true;
    await this.show(answer);
  }

  /** Another run or axis is shown: no part of it was asked for. */
  forget() {
    this.clock.clear(this.timer);
    this.range = null;
    this.shown = false;
  }

  /** What is drawn was replaced by the whole: fetch the part anew. */
  again() {
    this.shown = false;
    if (this.range) this.to(this.range);
  }
}
