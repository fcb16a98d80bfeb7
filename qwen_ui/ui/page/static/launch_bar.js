/* The bar at the foot of a tab that launches: its button answers at once, brings what it started
   into view, and is its Stop while it runs. gradio's own button does the launching and is out of
   sight meanwhile. */
import { button, clearMessages, make, write } from "./dom.js";
import { LaunchState, wordsOf } from "./launch_state.js";

const ANOTHER = "Queue another";
const STARTING = "It is being started.";
const BUSY = "One is running already. Stop it, or queue another behind it.";

const bringIntoView = (node) => {
  const { top } = node.getBoundingClientRect();
  if (top >= 0 && top < window.innerHeight / 2) return;
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  node.scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
};

class LaunchBar {
  constructor({ element, props }) {
    this.state = new LaunchState();
    this.launches = props.launches.split(" ");
    this.place = props.view;
    this.bar = element.closest(".q-bar");
    this.root = element.querySelector(".q-launched");
    this.main = button("", "q-launched-main", () => this.onMain());
    this.another = button(ANOTHER, "q-launched-another", () => this.queue());
    this.said = make("span", "q-launched-said");
    this.said.setAttribute("role", "status");
    this.root.append(this.main, this.another, this.said);
    this.root.bar = this;
    this.last = this.launches[0];
    // Before gradio hears of the click.
    document.addEventListener("click", (event) => this.onClick(event), true);
    document.addEventListener("q-run", (event) => {
      if (event.target.closest(`#${this.place}`)) this.saw(event.detail);
    });
    const { shown } = this.view?.root ?? {};
    if (shown) this.saw(shown);
    this.show();
  }

  get view() {
    return document.querySelector(`#${this.place} [data-view]`)?.view;
  }

  onClick(event) {
    const clicked = this.launches.find((id) => event.target.closest?.(`#${id}`));
    if (!clicked) return;
    if (event.target.closest("button")?.disabled) return;
    if (this.state.name === "idle" || this.asked) this.begin(clicked);
    else {
      event.stopImmediatePropagation();
      event.preventDefault();
      this.last = clicked;
      if (this.state.name !== "starting") write(this.said, BUSY);
    }
  }

  begin(clicked) {
    this.asked = false;
    this.last = clicked;
    const focused = document.activeElement?.id === clicked;
    clearMessages();
    this.state.launch(performance.now());
    this.show();
    this.view?.expect();
    bringIntoView(document.getElementById(this.place));
    if (focused) this.main.focus({ preventScroll: true });
  }

  /** Python refused what was asked for. */
  refused() {
    this.state.refused();
    this.view?.expectNothing();
    this.show();
  }

  onMain() {
    if (this.state.stops(performance.now())) this.view?.stop();
  }

  queue() {
    this.asked = true;
    document.getElementById(this.last).click();
    this.asked = false;
  }

  saw(detail) {
    this.state.saw(detail);
    this.show();
  }

  show() {
    const { name, seen } = this.state;
    const idle = name === "idle";
    if (this.bar) this.bar.dataset.state = name;
    this.main.hidden = idle;
    this.another.hidden = name !== "running";
    this.main.setAttribute("aria-disabled", String(name !== "running"));
    write(this.main, wordsOf(name, seen.status === "queued"));
    write(this.said, { idle: "", starting: STARTING }[name] ?? seen.said);
    if (idle && document.activeElement === this.main) document.getElementById(this.last).focus();
  }
}

/** Mounts it; props: `launches`, ids of the buttons that launch, and `view`, the id of what shows
    what they launched. */
export const mount = (component) => new LaunchBar(component);
