/* Answers only the latest of many requests, never two at once. */

export class Latest {
  /**
   * @param {number} delay milliseconds without a further request before the work begins
   * @param {(current: () => boolean) => Promise} work `current()` is false once there was a further
   *   request, or the work is not wanted any more
   * @param {(error: Error) => void} failed told what the work threw
   */
  constructor(delay, work, failed) {
    Object.assign(this, { delay, work, failed });
    this.busy = false;
    this.asked = 0;
    this.wanted = false;
  }

  ask() {
    this.drop();
    this.wanted = true;
    this.timer = setTimeout(() => this.run(), this.delay);
  }

  /** The answer is not wanted any more. */
  drop() {
    this.asked += 1;
    this.wanted = false;
    clearTimeout(this.timer);
  }

  async run() {
    if (this.busy) return; // runs again when it is done
    const { asked } = this;
    const current = () => asked === this.asked;
    this.busy = true;
    this.wanted = false;
    try {
      await this.work(current);
    } catch (error) {
      if (current()) this.failed(error);
    }
    this.busy = false;
    if (this.wanted) this.ask();
  }
}
