/* One figure that Python made, as plotly's JSON. It is drawn once it is in view. */
import { attempt } from "./api.js";
import { make, problemLine, write } from "./dom.js";
import { CONFIG, keepFitting, plotly } from "./plotly.js";

class Figure {
  constructor({ element, props, watch }) {
    this.props = props;
    this.wrong = problemLine();
    this.plot = keepFitting(make("div", "q-plot"));
    this.plot.setAttribute("role", "img");
    this.plot.setAttribute("aria-label", props.figure_name);
    this.waits = make("p", "q-hint", "Drawing …");
    const title = make("h4", "q-figure-title", props.figure_name);
    element.querySelector(".q-figure").append(title, this.wrong, this.waits, this.plot);
    this.drawn = "";
    new IntersectionObserver((entries) => {
      this.seen = entries.at(-1).isIntersecting;
      this.show();
    }).observe(this.plot);
    watch("value", () => this.show());
  }

  show() {
    const text = this.props.value || "";
    if (!this.seen || text === this.drawn) return undefined;
    this.drawn = text;
    return attempt(
      () => this.draw(text),
      (said) => {
        write(this.wrong, said);
        if (said) this.drawn = ""; // tried again when it comes into view the next time
      },
    );
  }

  async draw(text) {
    const library = await plotly();
    if (text !== this.drawn) return;
    const { data, layout } = text ? JSON.parse(text) : { data: [], layout: {} };
    await library.react(this.plot, data, layout, CONFIG);
    this.waits.hidden = true;
  }
}

/** Mounts the figure on a component of gradio's; its value is plotly's JSON. */
export const mount = (component) => new Figure(component);
