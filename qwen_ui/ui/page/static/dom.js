/* Nodes made and written to. Text is set as text, never as markup. It is English: what was translated
   is compared by what it was translated from. */
import { englishAttribute, englishOf } from "./english.js";
import { unbroken } from "./format.js";

const AS_WRITTEN = new Set(["CODE", "PRE", "TEXTAREA"]);

/* What a node shows of a text: code stays as it was written. */
const shownIn = (node, text) => {
  const written = String(text ?? "");
  return AS_WRITTEN.has(node.nodeName) ? written : unbroken(written);
};

/** A new element, with its class and text where they are given. */
export const make = (tag, className = "", text = undefined) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = shownIn(node, text);
  return node;
};

/**
 * A new element that scrolls what is too wide or too high for it: a stop of the keyboard, because
 * only what has the focus can be scrolled by keys.
 *
 * @param {string} name what is in it, for a screen reader
 */
export const makeScroller = (tag, className, name) => {
  const node = make(tag, className);
  node.tabIndex = 0;
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", name);
  return node;
};

/** Set a node's text where it is another: a write of the same text costs a layout too. */
export const write = (node, text) => {
  const whole = shownIn(node, text);
  if (englishOf(node) !== whole) node.textContent = whole;
};

/** Set an attribute where it is another. */
export const put = (node, name, value) => {
  if (englishAttribute(node, name) !== value) node.setAttribute(name, value);
};

/** Fill a node with markup that the server made and escaped: a diagram, highlighted source. */
export const setMarkup = (node, markup) => {
  const template = document.createElement("template");
  template.innerHTML = markup; // eslint-disable-line no-restricted-properties
  node.replaceChildren(template.content);
};

/** Tell of what a view shows: {run, status, stopping, said}. Whoever asks later finds it as
    `root.shown`. */
export const announce = (root, shown) => {
  root.shown = shown;
  root.dispatchEvent(new CustomEvent("q-run", { bubbles: true, detail: shown }));
};

/** Take gradio's messages away: what was wrong before another try is no news. */
export const clearMessages = () => {
  for (const close of document.querySelectorAll(".toast-close")) close.click();
};

/** A line for what goes wrong; it takes no room while it is empty. */
export const problemLine = () => {
  const node = make("p", "q-wrong");
  node.setAttribute("role", "status");
  return node;
};

/** A table's parts: its columns' heads in a row, and its rows. */
export const tableOf = (className, heads, rows) => {
  const table = make("table", className);
  const top = make("thead");
  const head = make("tr");
  const body = make("tbody");
  head.append(...heads);
  top.append(head);
  body.append(...rows);
  table.append(top, body);
  return table;
};

/** A table row of these cells. */
export const rowOf = (...cells) => {
  const row = make("tr");
  row.append(...cells);
  return row;
};

export const button = (text, className, onclick, title = "") => {
  const node = make("button", className ? `q-button ${className}` : "q-button", text);
  node.type = "button";
  if (title) node.title = title;
  node.addEventListener("click", onclick);
  return node;
};

/** A `<select>` of these options, {value: text}, the one of this value chosen. */
export const select = (options, value, onchange) => {
  const node = make("select");
  for (const [key, text] of Object.entries(options)) {
    const option = make("option", "", text);
    option.value = key;
    node.append(option);
  }
  node.value = value;
  node.addEventListener("change", () => onchange(node.value));
  return node;
};

/** A `select` with its label before it. */
export const choice = (label, options, value, onchange) => {
  const wrap = make("label", "q-choice", `${label} `);
  wrap.append(select(options, value, onchange));
  return wrap;
};
