/* One language's dictionary, as its file has it (`zh-CN.json`), and what it makes of an English text.
   No DOM. docs/language.md says how a text is looked up. */
import { Template, TemplateIndex, hasHole, holesOf, itemsOf } from "./templates.js";
import { isLanguage, normal, sentencesOf, setApart, wordsOf } from "./wording.js";

const MOST_REMEMBERED = 5000;
const LONGEST = 4000; // a longer text is no sentence of the page's
const MOST_SENTENCES = 40;
const LEAST_SAID = 3; // a third of the text
const DEEPEST = 5; // a hole in a hole in a hole
const EDGES = /^([^\p{L}\p{N}'"`“{]*)(.*?)([^\p{L}\p{N}'"`”}]*)$/su;

const STOP = /[.!?]/;
const CLAUSE = "; ";
const CONTINUES = /^[;,:] /;
const OPTIONAL = /([a-z]{2}|\})\{\w+\}(?=[.,;:)]|$)/;
const BEFORE = /^\{\w+\} (?=['"A-Z])()/;
const BEHIND = /([.!?)])(?: \{\w+\})+$/;
const CONTINUES_SAID = /^[；，：、;,:] ?/;

const APART = " · "; // between texts that have nothing to do with each other

const otherCase = (text) => {
  const first = text[0];
  const lower = first.toLowerCase();
  return (first === lower ? first.toUpperCase() : lower) + text.slice(1);
};

/* What continues a sentence, "; it looks back", also stands in a list, where the mark is gone. A hole
   right behind a word, "fits the architecture{extra}.", and one for whole sentences before or after,
   are for what may be left out. */
const withParts = (texts) => {
  const all = { ...texts };
  const add = (english, translation) => {
    if (!(english in all)) all[english] = translation;
  };
  for (const [english, translation] of Object.entries(texts)) {
    const bare = english.replace(CONTINUES, "");
    if (bare !== english) add(bare, translation.replace(CONTINUES_SAID, ""));
    for (const optional of [OPTIONAL, BEFORE, BEHIND]) {
      const left = english.replace(optional, "$1");
      if (left !== english) add(left, without(translation, english, left));
    }
  }
  return Object.entries(all);
};

/* The translation without the holes that a text no longer has. */
const without = (translation, english, left) => {
  const kept = new Set(holesOf(left));
  const gone = holesOf(english).filter((hole) => !kept.has(hole));
  return gone.reduce((text, hole) => text.replace(`{${hole}}`, ""), translation).trim();
};

/* Whether a piece of a sentence took hold of more than one, or of several clauses. */
const reaches = ({ text }, taken) =>
  !STOP.test(text) &&
  taken.some(
    (value) => sentencesOf(value).length > 1 || (value.includes(CLAUSE) && !text.includes(CLAUSE)),
  );

export class Dictionary {
  /** @param {{texts: Object, ends: Object, lists: Object}} file as `zh-CN.json` */
  constructor({ texts, ends = {}, lists = {} }) {
    this.exact = new Map();
    const templates = [];
    for (const [english, translation] of withParts(texts)) {
      if (hasHole(english)) templates.push(new Template(english, translation));
      else this.exact.set(english, translation);
    }
    this.templates = new TemplateIndex(templates);
    this.ends = ends;
    this.lists = Object.entries(lists);
    this.remembered = new Map();
    this.used = new Set();
  }

  /** {text, whole}: the translation, and whether nothing of it had to stay English. */
  translate(english, depth = 0) {
    return this.inLines(english, depth) ?? this.inOneLine(english, depth);
  }

  /* Lines of their own, where each is known; in markup a line's end is a space. */
  inLines(english, depth) {
    const lines = english.trim().split("\n");
    if (lines.length < 2 || lines.length > MOST_SENTENCES) return null;
    const said = lines.map((line) => this.inOneLine(line, depth));
    if (!said.every(({ whole }) => whole)) return null;
    return { text: said.map(({ text }) => text).join("\n"), whole: true };
  }

  inOneLine(english, depth) {
    const key = normal(english);
    let found = this.remembered.get(key);
    if (!found) {
      found = this.looked(key, depth);
      if (this.remembered.size >= MOST_REMEMBERED) this.remembered.clear();
      if (depth === 0) this.remembered.set(key, found);
    }
    return found;
  }

  looked(key, depth) {
    const nothing = { text: key, whole: !isLanguage(key) };
    if (!key || key.length > LONGEST || depth > DEEPEST) return nothing;
    if (key in this.ends) return { text: this.ends[key], whole: true };
    const apart = key.includes(APART) ? this.asListOf(key, APART, APART, depth) : null;
    const known = apart ?? this.simply(key, depth);
    return known?.whole || nothing.whole ? (known ?? nothing) : this.inParts(key, depth, known);
  }

  /* A text that is not known as one. `partly` is what could be done with it so far. */
  inParts(key, depth, partly) {
    const sentences = this.inSentences(key, depth);
    if (sentences?.whole) return sentences;
    const found = this.withinEdges(key, depth) ?? this.asList(key, depth);
    return found ?? partly ?? sentences ?? { text: key, whole: false };
  }

  inFull(key) {
    for (const form of [key, otherCase(key)]) {
      if (this.exact.has(form)) {
        this.used.add(form);
        return { text: this.exact.get(form), whole: true };
      }
    }
    return null;
  }

  byTemplate(key, depth) {
    let partly = null;
    for (const template of this.templates.for(key)) {
      const taken = template.match(key);
      if (!taken || reaches(template, taken)) continue;
      const filled = taken.map((value, place) => this.filling(template.kinds[place], value, depth));
      const found = {
        text: setApart(template.filled(filled.map(({ text }) => text))),
        whole: filled.every(({ whole }) => whole),
      };
      if (found.whole) {
        this.used.add(template.text);
        return found;
      }
      // A template that says little of a text says it wrongly more often than not.
      if (template.weight * LEAST_SAID >= key.length) partly ??= found;
    }
    return partly;
  }

  /* What a hole of this kind makes of what it took. */
  filling(kind, value, depth) {
    if (kind === "raw") return { text: value, whole: true };
    return kind === "list" ? this.named(value, depth) : this.translate(value, depth + 1);
  }

  /* "q, k and v": the names as they are, "3 other" and the marks between them in the language. */
  named(value, depth) {
    const marks = Object.fromEntries(this.lists);
    const said = itemsOf(value).map((item, place) => {
      if (place % 2) return { text: marks[item] ?? item, whole: true };
      return item.includes(" ") ? this.translate(item, depth + 1) : { text: item, whole: true };
    });
    return { text: said.map(({ text }) => text).join(""), whole: said.every(({ whole }) => whole) };
  }

  /* Sentences written one after the other, the longest stretch that is known first. */
  inSentences(key, depth) {
    const sentences = sentencesOf(key);
    if (sentences.length < 2 || sentences.length > MOST_SENTENCES) return null;
    const said = [];
    let from = 0;
    while (from < sentences.length) {
      let to = Math.min(sentences.length, from === 0 ? sentences.length - 1 : sentences.length);
      let found = null;
      for (; to > from; to -= 1) {
        const stretch = sentences.slice(from, to).join(" ");
        found =
          to - from > 1 ? this.simply(stretch, depth + 1) : this.translate(stretch, depth + 1);
        if (found?.whole || to - from === 1) break;
      }
      said.push(found);
      from = to;
    }
    return {
      text: setApart(said.map(({ text }) => text).join(" ")),
      whole: said.every(({ whole }) => whole),
    };
  }

  simply(key, depth) {
    return this.inFull(key) ?? this.byTemplate(key, depth);
  }

  /* "Learning rate:" where "Learning rate" is known; "(optional)"; "↑ Up". */
  withinEdges(key, depth) {
    const [, before, middle, after] = EDGES.exec(key);
    if (middle === key || !middle) return null;
    const { text, whole } = this.translate(middle, depth + 1);
    if (!whole) return null;
    return { text: setApart(this.edge(before) + text + this.edge(after)), whole };
  }

  edge(marks) {
    return [...marks].map((mark) => this.ends[mark] ?? mark).join("");
  }

  /* "attention, mlp" where both are known. */
  asList(key, depth) {
    for (const [mark, translation] of this.lists) {
      const found = this.asListOf(key, mark, translation, depth);
      if (found) return found;
    }
    return null;
  }

  asListOf(key, mark, translation, depth) {
    const parts = key.split(mark);
    if (parts.length < 2) return null;
    const said = parts.map((part) => this.translate(part, depth + 1));
    if (!said.every(({ whole }) => whole)) return null;
    return { text: setApart(said.map(({ text }) => text).join(translation)), whole: true };
  }
}

/** Whether a text is worth looking up at all: most numbers of a busy page are not. A full stop behind
    a name in bold is a text of its own. */
export const mayBeLanguage = (text) => wordsOf(text).length > 0 || text.trim() === ".";
