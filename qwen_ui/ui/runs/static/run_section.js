/* A section below an opened run: its value names the run, and it asks for how that stands. */
import { Api, attempt, isRefusal, messageOf } from "qwen/page/api.js";
import { problemLine, write } from "qwen/page/dom.js";
import { placeOf, Poller } from "qwen/page/poller.js";

export class RunSection {
  /**
   * A section has `ask(current)`, which asks and shows; `wait()`, after how many ms to ask again or
   * null; and `reset()` for another run.
   * @param component of gradio's, as `mount` is given it.
   * @param className of the section's root.
   */
  constructor({ element, props, server, watch }, className) {
    this.api = new Api(server);
    this.root = element.querySelector(`.${className}`);
    this.wrong = problemLine();
    this.poller = new Poller({
      ask: (current) => this.ask(current),
      every: () => this.wait(),
      tell: (error) => this.tell(error),
      place: placeOf(element),
      ends: isRefusal,
    });
    this.show(props.value);
    watch("value", () => this.show(props.value));
  }

  show(run) {
    const name = run || "";
    if (name === this.run) return;
    this.run = name;
    this.state = null;
    this.built = false;
    this.poller.stop();
    this.reset();
    this.root.replaceChildren();
    if (name) this.poller.now();
  }

  reset() {}

  tell(error) {
    write(this.wrong, error ? messageOf(error) : "");
  }

  /** What `work` gives; what goes wrong is told in the section. */
  trying(work) {
    return attempt(work, (text) => write(this.wrong, text));
  }
}
