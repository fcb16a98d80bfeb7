/* Keys and help ("?"). */
import { button, make } from "./dom.js";

const KEYS = [
  ["Ctrl+K", "Open a tab, model, plan or run by its name"],
  ["?", "This list"],
  ["Ctrl+Enter", "Press the tab's main button: start a run, compare the plans"],
  ["← →", "On the tabs: the tab beside; in a tree or the grid: fold, unfold, the cell beside"],
  ["Space", "In the grid: train or freeze; with Shift the row, with Ctrl the column"],
  ["Ctrl+Z", "In the grid: undo"],
  ["Home End", "The first and the last row"],
  ["Esc", "Close what is open"],
];
const STEPS = [
  ["Inspect", "what the model is made of: modules, shapes, what each part does."],
  ["Freeze", "which parameters train, and what a step of that costs."],
  ["Train", "a run on your data, in a process of its own: it goes on when this page is closed."],
  ["Runs", "all runs: overlay, talk to them, turn them down, take them away."],
  ["Compare", "several plans on the same data and seeds, and which one wins."],
];
const DOCS = "Guides";

const term = (name, text) => {
  const node = make("div", "q-term");
  node.append(make("dt", "", name), make("dd", "", text));
  return node;
};

const section = (title, terms) => {
  const node = make("section");
  const list = make("dl");
  list.append(...terms.map(([name, text]) => term(name, text)));
  node.append(make("h3", "", title), list);
  return node;
};

/** The dialog; `guides`: [title, address] of each page of the documentation. */
export const helpDialog = (guides) => {
  const dialog = make("dialog", "q-dialog q-help");
  dialog.setAttribute("aria-label", "Keys and help");
  const close = button("Close", "q-help-close", () => dialog.close());
  dialog.append(close, section("What is where", STEPS), section("Keys", KEYS));
  if (guides.length) {
    const links = make("p", "q-guides");
    for (const [title, address] of guides) {
      const link = make("a", "", title);
      Object.assign(link, { href: address, target: "_blank", rel: "noopener" });
      links.append(link);
    }
    dialog.append(make("h3", "", DOCS), links);
  }
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  return dialog;
};
