/* What a run said that a person should read, and the button that mends a rate that is too low. */
import { button, make } from "./dom.js";

const FIND = "Find a rate and train again";
const ABOUT =
  "Short runs find the learning rate for this plan, these data and so many steps; then the run is " +
  "started anew with it";

export class RunNotes {
  /** `findRate` is what the button does. */
  constructor(findRate) {
    this.node = make("div", "qr-notes");
    this.list = make("ul");
    this.button = button(FIND, "qr-inline", findRate, ABOUT);
    this.node.append(this.list, this.button);
    this.clear();
  }

  clear() {
    this.said = new Set();
    this.list.replaceChildren();
    this.node.hidden = true;
  }

  /** logs: new ones, [{level, message}]; unsure: whether the run's gain is within its noise. */
  take(logs, unsure) {
    for (const { level, message } of logs) {
      if (level !== "warning" || this.said.has(message)) continue;
      this.said.add(message);
      this.list.append(make("li", "", message));
    }
    this.button.hidden = !unsure;
    this.node.hidden = !this.said.size;
  }
}
