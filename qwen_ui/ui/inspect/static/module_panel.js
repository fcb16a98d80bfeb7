/* The panel beside the tree: what the selected module or tensor is. Its markup is made and escaped
   by the server; what its buttons do is said here. */
import { attempt, messageOf } from "qwen/page/api.js";
import { copyFrom } from "qwen/page/clipboard.js";
import { make, problemLine, setMarkup, write } from "qwen/page/dom.js";
import { openTab } from "qwen/page/tabs.js";
import { wish } from "qwen/page/wishes.js";
import { BlockPicture, nameOfShape } from "./block_picture.js";
import { FOLD } from "./module_tree.js";

const ASK_MS = 60; // keys held down pass many rows

export class ModulePanel {
  /**
   * @param {HTMLElement} root
   * @param {import("qwen/page/api.js").Api} api
   * @param {import("./module_tree_view.js").ModuleTreeView} view
   */
  constructor(root, api, view) {
    this.root = root;
    this.api = api;
    this.view = view;
    this.detail = root.querySelector(".qi-detail");
    this.below = root.querySelector(".qi-below");
    this.problem = problemLine(); // stands where the person acted
    this.shown = null; // {tree, row}
    this.picture = new BlockPicture(root.querySelector(".qi-diagram"), (source, block) =>
      api.call("diagram", { source, block }),
    );
    root.addEventListener("click", (event) => this.onClick(event));
    root.addEventListener("toggle", (event) => this.onUnfold(event.target), true);
  }

  /** Shows a row. Selected once more (a search, then a click), it keeps what was unfolded in it. */
  select(row) {
    const { tree } = this.view;
    if (this.shown?.tree === tree && this.shown.row === row) return;
    this.shown = { tree, row };
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(this.shown), ASK_MS);
  }

  async show(wanted) {
    const { tree, row } = wanted;
    const { source } = tree;
    const asked = { source, name: tree.name[row], fold: tree.type[row] === FOLD };
    try {
      const { html } = await this.api.call("detail", asked);
      if (this.shown !== wanted) return;
      setMarkup(this.detail, html);
      this.below.replaceChildren(...this.detail.querySelectorAll(".qi-tail"));
    } catch (error) {
      if (this.shown !== wanted) return;
      this.detail.replaceChildren(make("p", "qi-wait", messageOf(error)));
      this.below.replaceChildren();
      this.shown = null; // a click asks again
      return;
    }
    this.offerToTrain(tree.tensorsOf(row));
    document.dispatchEvent(new CustomEvent("q-module", { detail: tree.name[row] }));
    await this.picture.show(tree, row, () => this.view.active);
  }

  /* The selected part can become the plan. */
  offerToTrain(names) {
    const beside = this.detail.querySelector("[data-copy]")?.parentElement;
    if (!beside || !names.length) return;
    const train = make("button", "qi-link qi-only", "Train only this");
    train.type = "button";
    train.addEventListener("click", () => {
      wish({ only: names });
      openTab("freeze");
    });
    beside.append(train);
  }

  onClick(event) {
    const target = event.target.closest("[data-copy], [data-go], [data-inside], [data-values]");
    if (!target) return;
    if (target.dataset.copy) this.copy(target);
    else if (target.dataset.values) this.measure(target);
    else this.view.go(target.dataset.go ?? nameOfShape(target));
  }

  /** Copies names, or a regular expression that finds them: of the selected row, or what a search
      found (`matches`). */
  copy(button) {
    const { tree, active } = this.view;
    const { copy } = button.dataset;
    const names = copy.startsWith("matches") ? tree.matchedTensors() : tree.tensorsOf(active);
    const say = (text) => {
      if (text) button.parentElement.after(this.problem);
      write(this.problem, text);
    };
    return attempt(async () => {
      let text = copy === "name" ? tree.name[active] : names.join("\n");
      if (copy.endsWith("regex")) ({ text } = await this.api.call("pattern", { names }));
      await copyFrom(button, text);
    }, say);
  }

  /** What the values of a tensor are like. Where they cannot be read, the button asks again. */
  async measure(button) {
    const { source } = this.view.tree;
    const place = button.parentElement;
    write(place, "Reading the values …");
    try {
      const { html } = await this.api.call("values", { source, name: button.dataset.values });
      setMarkup(place, html);
    } catch (error) {
      place.replaceChildren(make("p", "qi-wait", messageOf(error)), button);
    }
  }

  /** The source of a class, the first time that it is unfolded. */
  async onUnfold(details) {
    if (!details.matches?.("details[data-source]") || !details.open) return;
    const code = details.querySelector("code");
    if (code.dataset.done) return;
    code.dataset.done = "1";
    const { source } = this.view.tree;
    try {
      const { text } = await this.api.call("source_code", { source, name: details.dataset.source });
      write(code, text);
    } catch (error) {
      write(code, `${messageOf(error)} Fold and unfold to ask again.`);
      delete code.dataset.done;
    }
  }
}
