/* What a launch button is at the moment. No DOM. */

/** A second click so soon after the first is a double click, not a wish to stop. */
export const DOUBLE_MS = 1000;

const OVER = ["completed", "stopped", "failed", "interrupted", "damaged", ""];

/** "idle": it launches; "starting": it was clicked, and nothing is seen yet; "running": it stops
    what runs; "stopping": that was asked for. */
export class LaunchState {
  constructor() {
    this.seen = { run: "", status: "", stopping: false, said: "" };
    this.before = null; // the run that was shown when it was clicked; null: nothing is awaited
    this.clicked = -Infinity;
  }

  get name() {
    if (this.before !== null) return "starting";
    if (OVER.includes(this.seen.status)) return "idle";
    return this.seen.stopping ? "stopping" : "running";
  }

  /** It was clicked, at this time (milliseconds). */
  launch(now) {
    this.before = this.seen.run;
    this.clicked = now;
  }

  /** What was asked for was refused: nothing is awaited. */
  refused() {
    this.before = null;
  }

  /** What the view says of what it shows. */
  saw(seen) {
    this.seen = seen;
    if (this.before !== null && seen.run !== this.before) this.before = null;
  }

  /** Whether a click at this time is to stop what runs. */
  stops(now) {
    return this.name === "running" && now - this.clicked > DOUBLE_MS;
  }
}

/** The words on the button: what it does, or what is done. `waits`: the run is in the queue. */
export const wordsOf = (name, waits = false) =>
  ({
    idle: "",
    starting: "Starting …",
    running: waits ? "Cancel" : "Stop",
    stopping: "Stopping …",
  })[name];
