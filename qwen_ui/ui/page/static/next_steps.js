/* The bar at the foot of Freeze: what can be done with the plan in force. */
import { Api, attempt } from "./api.js";
import { button, make, problemLine, select, write } from "./dom.js";
import { compareWith } from "./compare_with.js";
import { openTab, whenShown } from "./tabs.js";

const optionsOf = ({ presets, layers, saved }) =>
  Object.fromEntries([
    ...presets.map((name) => [`preset:${name}`, `${name} on ${layers}`]),
    ["lora", "LoRA (reference)"],
    ...saved.map((name) => [`saved:${name}`, name]),
  ]);

class NextSteps {
  constructor({ element, server }) {
    this.api = new Api(server);
    this.root = element.querySelector(".q-next");
    this.wrong = problemLine();
    this.train = button("Train this plan", "q-primary", () => this.toTrain());
    this.compare = button("Compare this plan with", "", () => this.toCompare());
    this.other = make("span", "q-next-other");
    this.root.append(this.train, this.compare, this.other, this.wrong);
    // Saved plans come and go on this tab.
    this.other.addEventListener("focusin", () => this.refresh());
    this.refresh();
  }

  async refresh() {
    const found = await attempt(
      () => this.api.call("comparable"),
      (text) => write(this.wrong, text),
    );
    if (!found) return;
    const options = optionsOf(found);
    const key = JSON.stringify(options);
    if (key === this.key) return;
    this.key = key;
    const chosen = this.list?.value in options ? this.list.value : "preset:bitfit";
    this.list = select(options, chosen, () => {});
    this.list.className = "q-button";
    this.list.setAttribute("aria-label", "Plan to compare with");
    this.other.replaceChildren(this.list);
  }

  async toTrain() {
    openTab("train");
    (await whenShown("#qt-launch"))?.focus();
  }

  toCompare() {
    compareWith(this.list?.value ?? "preset:bitfit");
  }
}

/** Mounts the bar. */
export const mount = (component) => new NextSteps(component);
