/* Asks one question again and again: of a run, of a list. */

const SOONEST_MS = 1000,
  LATEST_MS = 15_000; // between questions that fail

/* Where what the answers are for is in view, and who says when it comes into view. */
export const placeOf = (element) => ({
  shown: () => !document.hidden && element.isConnected && element.offsetParent !== null,
  onShown: (callback) => {
    document.addEventListener("visibilitychange", callback);
    // A tab that opens gives its parts a size.
    new ResizeObserver(callback).observe(element);
  },
});

/** For what is asked wherever a person looks. */
export const EVERYWHERE = { shown: () => true, onShown: () => {} };

const CLOCK = {
  set: (callback, milliseconds) => setTimeout(callback, milliseconds),
  clear: (timer) => clearTimeout(timer),
};

/** Never two questions at a time; none while their place is out of view; a failed one is followed
    by others, later and later. */
export class Poller {
  /**
   * @param ask asks once and takes the answer in. It is given `current()`: false once `now` or
   *   `stop` was called, when the answer is to be dropped.
   * @param every milliseconds to the next question, asked for after each; null ends them.
   * @param tell is told an error once, when questions begin to fail (or fail otherwise), and null
   *   when they are answered again.
   * @param ends whether an error ends the questions; the others are followed by more.
   * @param place {shown(), onShown(callback)}, see `placeOf`.
   * @param clock {set(callback, milliseconds), clear(timer)}
   */
  constructor({ ask, every, tell, place, ends = () => false, clock = CLOCK }) {
    Object.assign(this, { ask, every, tell, place, ends, clock });
    this.on = false;
    this.paused = false;
    this.turn = 0;
    this.failures = 0;
    this.told = null;
    this.asking = false;
    this.timer = null;
    place.onShown(() => this.wake());
  }

  /** Ask now; where a question is under way, again as soon as it is answered. */
  now() {
    this.on = true;
    this.turn += 1;
    this.clock.clear(this.timer);
    if (!this.asking) this.round = this.questions();
    return this.round;
  }

  stop() {
    this.on = false;
    this.turn += 1;
    this.clock.clear(this.timer);
  }

  wake() {
    if (this.on && this.paused && this.place.shown()) this.now();
  }

  async questions() {
    let wait = null,
      asked = false;
    this.asking = true;
    this.paused = false;
    while (this.on && !asked) {
      if (!this.place.shown()) {
        this.paused = true;
        break;
      }
      const turn = this.turn,
        current = () => this.on && turn === this.turn;
      wait = await this.once(current);
      asked = current();
    }
    this.asking = false;
    if (asked && wait !== null) this.timer = this.clock.set(() => this.now(), wait);
  }

  async once(current) {
    try {
      await this.ask(current);
    } catch (error) {
      return current() ? this.failed(error) : null;
    }
    if (!current()) return null;
    this.failures = 0;
    if (this.told !== null) this.tell(null);
    this.told = null;
    return this.every();
  }

  failed(error) {
    const ends = this.ends(error);
    if (ends || this.told !== error.message) this.tell(error);
    this.told = error.message;
    if (ends) return null;
    this.failures += 1;
    return Math.min(LATEST_MS, SOONEST_MS * 2 ** (this.failures - 1));
  }
}
