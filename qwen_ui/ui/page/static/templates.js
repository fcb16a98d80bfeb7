/* Texts with holes, `{n} of {total} steps`, found by their words and matched in linear time. No DOM.

   A hole takes what stands between the words around it, at the first place where they fit: there is
   nothing to try again, so no text takes long. What a hole's name says of it:
   {n}, {n2}, ...      a number only, with or without a unit;
   {raw}, {raw2}, ...  kept as it is: a file's name, another program's words;
   {list}, ...         names or numbers without spaces, "q, k and v": kept, joined as a list is;
   every other name    language, which is translated where the dictionary has it. */
import { wordsOf } from "./wording.js";

const HOLE = /\{([A-Za-z][\w]*)\}/g;
const ADJACENT = /(\{\w+\})(?:\{\w+\})+/g; // where one ends and the next begins nobody can tell
const NUMBER = /^[+−±~<>≤≥-]?[\d.,]*\d(?:[\d.,e+−-]*)(?: ?(?:%|[kMGTK]?B|[MGTK]|[MGTP]?FLOP))?$/;
const LISTED = /^(?:\S+|\d+ other)$/; // "a, b and 3 other"
const QUOTE = /['"“`]$/;
const IN_WORD = /[A-Za-z']/;
const LEAST_LETTERS = 8;

/* A hole between words never takes half of a bracket's text. */
const isBalanced = (text) => text.split("(").length === text.split(")").length;

const kindOf = (name) => (/^(n|raw|list)\d*$/.exec(name) ?? [null, "text"])[1];

/** The items of a list of names, and the marks between them at every second place. */
export const itemsOf = (text) => text.split(/(, | and )/);

const listed = (text) => itemsOf(text).filter((_, place) => place % 2 === 0);

/** A template: the words around its holes, and the holes' names. */
export class Template {
  constructor(text, translation) {
    const pieces = text.replace(ADJACENT, "$1").split(HOLE);
    this.text = text;
    this.translation = translation;
    this.literals = pieces.filter((_, place) => place % 2 === 0);
    this.holes = pieces.filter((_, place) => place % 2 === 1);
    this.kinds = this.holes.map((name, place) => (this.isQuoted(place) ? "raw" : kindOf(name)));
    // Of two with the same words the one that takes numbers alone says more.
    const numbers = this.kinds.filter((kind) => kind === "n").length;
    this.weight = this.literals.reduce((sum, literal) => sum + literal.length, numbers / 100);
  }

  /* What stands in quotes is somebody's own. */
  isQuoted(place) {
    const quote = QUOTE.exec(this.literals[place]);
    return quote !== null && /^['"”`]/.test(this.literals[place + 1]);
  }

  /* Whether what stands in a hole's place is of its kind. A template that says next to nothing,
     "a {raw}.", keeps a name and no sentence. */
  takes(kind, place, value) {
    if (kind === "n") return NUMBER.test(value);
    if (kind === "list") return listed(value).every((item) => LISTED.test(item));
    if (!isBalanced(value)) return false;
    return (
      kind !== "raw" || this.weight >= LEAST_LETTERS || this.isQuoted(place) || !/\s/.test(value)
    );
  }

  /* Words that stand in it whole: those that touch a hole may be a part of a longer one. */
  get words() {
    const last = this.literals.length - 1;
    return this.literals.flatMap((literal, place) => {
      const start = place > 0 && IN_WORD.test(literal[0] ?? "") ? /^[A-Za-z']+/ : /^(?!)/;
      const end = place < last && IN_WORD.test(literal.at(-1) ?? "") ? /[A-Za-z']+$/ : /(?!)$/;
      return wordsOf(literal.replace(start, " ").replace(end, " "));
    });
  }

  /** What the holes take of this text; null where the words do not fit. */
  match(text) {
    const [first, last] = [this.literals[0], this.literals.at(-1)];
    const end = text.length - last.length;
    if (!text.startsWith(first) || !text.endsWith(last)) return null;
    const taken = [];
    let from = first.length;
    for (const [place, kind] of this.kinds.entries()) {
      const literal = this.literals[place + 1];
      const isLast = place === this.kinds.length - 1;
      // Between quotes there may be nothing: a search for "".
      const least = QUOTE.test(this.literals[place]) ? 0 : 1;
      const to = isLast ? end : text.indexOf(literal, from + least);
      if (to < from + least || to > end) return null;
      const value = text.slice(from, to);
      if (!this.takes(kind, place, value)) return null;
      taken.push(value);
      from = to + literal.length;
    }
    return taken;
  }

  /** The translation with these values in its holes. */
  filled(values) {
    return this.translation.replace(HOLE, (_, name) => {
      const place = this.holes.indexOf(name);
      return place < 0 ? "" : values[place];
    });
  }
}

/** Templates by the rarest word of each: a text is held against those alone whose word it has. */
export class TemplateIndex {
  constructor(templates) {
    const counts = new Map();
    for (const template of templates) {
      for (const word of new Set(template.words)) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    this.byWord = new Map();
    for (const template of templates) {
      const [rarest = ""] = template.words.sort((a, b) => counts.get(a) - counts.get(b));
      this.byWord.set(rarest, [...(this.byWord.get(rarest) ?? []), template]);
    }
  }

  /** Those that may fit, the most telling first; those without a word are no help here. */
  for(text) {
    const words = new Set(wordsOf(text));
    return [...words]
      .flatMap((word) => this.byWord.get(word) ?? [])
      .sort((a, b) => b.weight - a.weight);
  }
}

export const hasHole = (text) => text.search(HOLE) >= 0;

/** The names of a text's holes. */
export const holesOf = (text) => [...text.matchAll(HOLE)].map(([, name]) => name);
