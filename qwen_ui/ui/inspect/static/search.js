/* What a search looks for in the module tree. */
import { FOLD, TENSOR } from "./module_tree.js";

const INDEX = /^\d+$/;

/* Fields that a word can name: `role:norm`. Each gives a test of a row. */
const FIELDS = {
  role: (tree, value) => (row) => tree.role[row].startsWith(value),
  kind: (tree, value) => (row) =>
    tree.type[row] === TENSOR && `.${tree.name[row].toLowerCase()}`.endsWith(`.${value}`),
  class: (tree, value) => (row) =>
    tree.type[row] !== TENSOR && tree.what[row].toLowerCase().includes(value),
  block: (tree, value) => {
    const start = `${tree.stack}.${value}.`;
    return INDEX.test(value) ? (row) => `${tree.name[row]}.`.startsWith(start) : null;
  },
};

const textsOf = (tree) =>
  tree.name.map((name, row) => {
    const what = tree.type[row] === TENSOR ? "" : tree.what[row];
    return `${name}\n${what}\n${tree.role[row]}`.toLowerCase();
  });

/* Parts of a path in their order, others may lie between: `24.k_proj`. A number is a whole part. */
const pathTest = (tree, word) => {
  const parts = word.split(".").filter(Boolean);
  const fits = (own, part) => (INDEX.test(part) ? own === part : own.includes(part));
  return (row) => {
    let at = 0;
    for (const own of tree.name[row].toLowerCase().split(".")) {
      if (at < parts.length && fits(own, parts[at])) at += 1;
    }
    return at === parts.length;
  };
};

/* A whole number is an index in the name, so that 2 takes neither 24 nor Qwen2. */
const wordTest = (tree, texts, word) => {
  const [field, value] = word.split(/:(.*)/s);
  const test = value && Object.hasOwn(FIELDS, field) ? FIELDS[field](tree, value) : null;
  if (test) return test;
  if (INDEX.test(word)) return (row) => `.${tree.name[row]}.`.includes(`.${word}.`);
  if (word.includes(".")) return pathTest(tree, word);
  return (row) => texts[row].includes(word);
};

/**
 * A test of a row for a query: words that must all occur, or a regular expression over the full
 * name. Throws SyntaxError where that is none.
 *
 * @param {import("./module_tree.js").ModuleTree} tree
 * @param {string} query not empty
 * @param {boolean} asRegex
 * @returns {(row: number) => boolean}
 */
export const searchTest = (tree, query, asRegex) => {
  const tests = [(row) => tree.type[row] !== FOLD];
  if (asRegex) {
    const pattern = new RegExp(query);
    tests.push((row) => pattern.test(tree.name[row]));
  } else {
    const texts = textsOf(tree);
    const words = query.toLowerCase().split(/\s+/);
    tests.push(...words.map((word) => wordTest(tree, texts, word)));
  }
  return (row) => tests.every((test) => test(row));
};
