/* The page in another language than English: what enters the document is translated before it is
   drawn. English costs nothing, for then nobody watches. How it works: docs/language.md. */
import { restoreChoices, translateChoices } from "./choices.js";
import { Dictionary, mayBeLanguage } from "./dictionary.js";
import {
  isAttributeTranslated,
  isTranslated,
  restoreAttribute,
  restoreText,
  showAttribute,
  showText,
} from "./english.js";
import { unbroken } from "./format.js";

const NAMES = [
  ...["aria-label", "aria-description", "aria-valuetext", "aria-roledescription"],
  ...["title", "placeholder", "alt", "data-wait", "data-label"],
];
/* Not language: code, what a person writes, and what is marked so, by HTML's attribute or by the class
   that stands for it. The nearest mark counts. */
// The name of a person's file stands in gradio's own markup, in two pieces.
const MARKS = "[translate], .notranslate, .file-preview .filename";
const CODE = "code, pre, kbd, samp, script, style, textarea, [contenteditable]";
const MARK_FIRST = /^[，。；：！？、（）]/;
const MARK_LAST = /[，。；：！？、（）]$/;
const LABELLED = NAMES.map((name) => `[${name}]`).join(", ");
const { offered, tag: first, dictionary: firstFile } = window.qwenLanguage;

let dictionary = null;

/** The texts that a person saw in English because the dictionary lacks them. */
export const misses = new Set();

/** The language of the page. */
export const current = () => window.qwenLanguage.tag;

/** The languages there are, {tag: name}, English first. */
export const languages = () => ({
  en: "English",
  ...Object.fromEntries(Object.entries(offered).map(([tag, { name }]) => [tag, name])),
});

const isMarked = (element) => {
  const marked = element.closest(MARKS);
  return marked !== null && marked.getAttribute("translate") !== "yes";
};

const said = (english) => {
  const { text, whole } = dictionary.translate(english);
  if (!whole) misses.add(english.trim());
  if (!whole && text === english.trim()) return english;
  // The spaces around a text hold it apart from its neighbours, as a full-width mark does.
  const before = MARK_FIRST.test(text) ? "" : /^\s*/.exec(english)[0];
  const after = MARK_LAST.test(text) ? "" : /\s*$/.exec(english)[0];
  return before + unbroken(text) + after;
};

const translateText = (node) => {
  if (!mayBeLanguage(node.data) || isTranslated(node)) return;
  const parent = node.parentElement;
  if (!parent || parent.closest(CODE) || isMarked(parent)) return;
  const shown = said(node.data);
  if (shown !== node.data) showText(node, shown);
};

const translateAttribute = (element, name) => {
  const english = element.getAttribute(name);
  if (!english || !mayBeLanguage(english) || isAttributeTranslated(element, name)) return;
  if (isMarked(element)) return;
  const shown = said(english);
  if (shown !== english) showAttribute(element, name, shown);
};

const eachText = (root, work) => {
  if (root.nodeType === Node.TEXT_NODE) work(root);
  if (root.nodeType !== Node.ELEMENT_NODE && root.nodeType !== Node.DOCUMENT_NODE) return;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) work(walker.currentNode);
};

const eachAttribute = (root, work) => {
  if (root.nodeType !== Node.ELEMENT_NODE && root.nodeType !== Node.DOCUMENT_NODE) return;
  const below = root.querySelectorAll(LABELLED);
  for (const element of root.matches?.(LABELLED) ? [root, ...below] : below) {
    for (const name of NAMES) if (element.hasAttribute(name)) work(element, name);
  }
};

const translateAll = (root) => {
  eachText(root, translateText);
  eachAttribute(root, translateAttribute);
  translateChoices(root, (english) => (mayBeLanguage(english) ? said(english) : english));
};

const watcher = new MutationObserver((changes) => {
  for (const { type, target, attributeName, addedNodes } of changes) {
    if (type === "characterData") translateText(target);
    else if (type === "attributes") translateAttribute(target, attributeName);
    else addedNodes.forEach(translateAll);
  }
});

const begin = (file) => {
  dictionary = new Dictionary(file);
  translateAll(document);
  watcher.observe(document, {
    subtree: true,
    childList: true,
    characterData: true,
    attributeFilter: NAMES,
  });
};

const end = () => {
  watcher.disconnect();
  dictionary = null;
  misses.clear();
  eachText(document, restoreText);
  eachAttribute(document, restoreAttribute);
  restoreChoices();
};

/** Speak this language from now on, and in this browser from then on. */
export const speak = async (tag) => {
  const file = tag === "en" ? null : await fetch(offered[tag].file).then((answer) => answer.json());
  try {
    localStorage.setItem("q-language", tag);
  } catch {
    // A browser that keeps nothing for this page: the choice holds until it is left.
  }
  end();
  window.qwenLanguage.tag = tag;
  document.documentElement.lang = tag;
  if (file) begin(file);
};

if (first !== "en") {
  try {
    begin(await firstFile);
  } finally {
    document.documentElement.classList.remove("q-untranslated");
  }
}
