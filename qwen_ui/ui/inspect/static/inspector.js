/* The Inspect tab: search box, module tree, and the panel beside it. All rows come once from the
   server; folding, searching and drawing are done here. */
import { Api, isRefusal, messageOf } from "qwen/page/api.js";
import { make, write } from "qwen/page/dom.js";
import { exact } from "qwen/page/format.js";
import { placeOf } from "qwen/page/place.js";
import { EVERYWHERE, Poller } from "qwen/page/poller.js";
import { ModulePanel } from "./module_panel.js";
import { ModuleTree } from "./module_tree.js";
import { ModuleTreeView } from "./module_tree_view.js";
import { searchTest } from "./search.js";

class Inspector {
  constructor({ element, props, server, watch, drawn }) {
    this.api = new Api(server);
    this.drawn = drawn; // tells the page to draw what lies below
    this.root = element.querySelector(".qi-inspector");
    this.find = (selector) => this.root.querySelector(selector);
    this.query = this.find(".qi-query");
    this.regex = this.find(".qi-regex");
    this.found = this.find(".qi-found");
    this.view = new ModuleTreeView(this.find(".qi-tree"), (row) => this.panel.select(row));
    this.panel = new ModulePanel(this.find(".qi-panel"), this.api, this.view);
    this.source = "";
    this.plan = "";
    this.wanted = placeOf(window.location.search); // shown as soon as there is a tree
    document.addEventListener("q-open", ({ detail }) => this.goTo(detail));
    const poller = (ask) =>
      new Poller({
        ask,
        every: () => null, // once it was answered
        tell: (error) => error && this.say(messageOf(error)),
        ends: isRefusal,
        place: EVERYWHERE,
      });
    this.loader = poller((current) => this.load(current));
    this.marker = poller((current) => this.mark(current));
    this.wireTools();
    watch("value", () => this.follow(props.value));
    this.follow(props.value); // it may have come before this module
  }

  wireTools() {
    this.query.addEventListener("input", () => this.search());
    this.query.addEventListener("keydown", (event) => this.onQueryKey(event));
    this.regex.addEventListener("click", () => {
      this.regex.setAttribute("aria-pressed", !this.asRegex);
      this.search();
    });
    this.find(".qi-open").addEventListener("click", () => this.openAll(true));
    this.find(".qi-close").addEventListener("click", () => this.openAll(false));
    this.found.addEventListener("click", (event) => this.panel.onClick(event));
  }

  get asRegex() {
    return this.regex.getAttribute("aria-pressed") === "true";
  }

  onQueryKey(event) {
    if (event.key === "Escape") {
      this.query.value = "";
      this.search();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      this.view.root.focus();
    }
  }

  openAll(open) {
    if (this.view.tree) this.view.openAll(open);
  }

  /* ---- to and from Python ---- */

  /** Model and plan in force, as the header has them. */
  follow(value) {
    if (!value) return;
    const { source, plan, first } = JSON.parse(value);
    // A link names another model: the page's first value is not what it will show.
    if (first && new URLSearchParams(window.location.search).has("model")) return;
    const anotherPlan = plan !== this.plan;
    this.plan = plan;
    if (source !== this.source) {
      this.source = source;
      this.loader.now();
    } else if (anotherPlan && source === this.root.dataset.source) this.marker.now();
  }

  /* The page's address names a module; of another model, once that is open. */
  goTo({ tab, model, module }) {
    if (tab !== "inspect" || !module) return;
    if (this.view.tree && (!model || model === this.root.dataset.source)) this.view.go(module);
    else this.wanted = { module };
  }

  async load(current) {
    this.say("Reading the module tree …");
    const record = await this.api.call("tree", { source: this.source });
    if (current()) this.showModel(new ModuleTree(record));
  }

  showModel(tree) {
    this.view.show(tree);
    this.search();
    this.root.dataset.source = this.source;
    this.marker.now();
    const { module } = this.wanted;
    if (module) this.view.go(module);
    this.wanted = {};
    requestAnimationFrame(() => this.drawn());
  }

  /** Python resolves the plan on the model; the tree only shows it. */
  async mark(current) {
    const { source, plan } = this;
    const { names } = await this.api.call("trains", { source, plan });
    if (!current() || source !== this.root.dataset.source) return; // changed meanwhile
    this.view.tree.showTrained(names);
    this.view.refresh();
  }

  say(text) {
    write(this.found, text);
  }

  /* ---- search ---- */

  search() {
    const { tree } = this.view;
    if (!tree) return;
    const query = this.query.value.trim();
    let matches = 0;
    let problem = "";
    try {
      if (query) matches = tree.filter(searchTest(tree, query, this.asRegex));
      else tree.clearFilter();
    } catch (error) {
      problem = error.message; // no regular expression yet
    }
    this.query.setAttribute("aria-invalid", problem !== "");
    if (problem) {
      this.say(problem);
      return;
    }
    this.showFound();
    if (query) this.sayFound(matches);
    else this.say(`${exact(tree.size)} modules and tensors`);
  }

  /** The rows found; where the selected one is none of them, the first of them is selected. */
  showFound() {
    const { tree, root, active } = this.view;
    root.scrollTop = 0;
    this.view.relist();
    const first = tree.found ? tree.found.match.indexOf(1) : -1;
    if (first >= 0 && !tree.isMatch(active)) this.view.activate(first);
    else if (tree.place[active] < 0) this.view.activate(0);
  }

  sayFound(matches) {
    const tensors = this.view.tree.matchedTensors();
    const among = tensors.length ? `, ${exact(tensors.length)} of them tensors ` : " ";
    this.say(`${exact(matches)} found${among}`);
    if (!tensors.length) return;
    for (const [what, label] of [
      ["matches", "Copy names"],
      ["matches-regex", "Copy as regex"],
    ]) {
      const button = make("button", "qi-link", label);
      button.dataset.copy = what;
      this.found.append(button);
    }
  }
}

export const mount = (component) => new Inspector(component);
