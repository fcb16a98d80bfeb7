/* The texts in the page's scripts, as JSON lines {text, place, shown}: strings and template literals, but for
   what only programs read. Called by `scripts/page_texts.py`, which says what a text for people is. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { parse } from "espree";

const MOST_VARIANTS = 24;
/* Arguments that are names: all of these functions', or the first so many. */
const NAMED = {
  ...{ addEventListener: 1, getAttribute: 9, setAttribute: 1, querySelector: 9, closest: 9 },
  ...{ querySelectorAll: 9, matches: 9, createElement: 9, add: 9, remove: 9, toggle: 9, put: 2 },
  ...{
    contains: 9,
    getElementById: 9,
    call: 1,
    make: 2,
    button: 0,
    tableOf: 1,
    Error: 9,
    TypeError: 9,
  },
  ...{ startsWith: 9, endsWith: 9, split: 9, includes: 9, getItem: 9, setItem: 1, RangeError: 9 },
};
/* Where one word is a text: what these are given, and properties of these names. */
const SHOWN = new Set(["make", "button", "choice", "write", "title", "text", "label", "hint"]);
const UNSEEN = new Set(["ImportDeclaration", "ExportAllDeclaration", "SwitchCase"]);
const hole = (name) => ({ hole: name });

const nameOf = (node) => {
  if (node.type === "Identifier") return node.name;
  if (node.type === "MemberExpression") return nameOf(node.property);
  if (node.type === "CallExpression") return nameOf(node.arguments[0] ?? node.callee);
  return "value";
};

const isString = (node) =>
  node.type === "TemplateLiteral" ||
  (node.type === "Literal" && typeof node.value === "string") ||
  (node.type === "BinaryExpression" &&
    node.operator === "+" &&
    (isString(node.left) || isString(node.right)));

const crossed = (choices) =>
  choices.reduce(
    (ways, options) =>
      ways.flatMap((way) => options.map((option) => [...way, ...option])).slice(0, MOST_VARIANTS),
    [[]],
  );

const waysOf = (node) => {
  if (node.type === "Literal") return [[String(node.value)]];
  if (node.type === "TemplateLiteral") {
    return crossed(
      node.quasis.flatMap((quasi, place) => [
        [[quasi.value.cooked]],
        ...(node.expressions[place] ? [waysOf(node.expressions[place])] : []),
      ]),
    );
  }
  if (isString(node)) return crossed([waysOf(node.left), waysOf(node.right)]);
  if (node.type === "ConditionalExpression" && [node.consequent, node.alternate].some(isString)) {
    return [...waysOf(node.consequent), ...waysOf(node.alternate)];
  }
  return [[hole(nameOf(node))]];
};

const written = (pieces) => {
  const counts = {};
  return pieces
    .map((piece) => {
      if (typeof piece === "string") return piece;
      const name = piece.hole.toLowerCase();
      counts[name] = (counts[name] ?? 0) + 1;
      return `{${name}${counts[name] > 1 ? counts[name] : ""}}`;
    })
    .join("")
    .replace(/\s+/g, " ")
    .trim();
};

const children = (node) =>
  Object.values(node)
    .flat()
    .filter((value) => value && typeof value.type === "string");

const argumentsFor = ({ callee, arguments: given }) => {
  const named = NAMED[nameOf(callee)] ?? 0;
  return given.slice(named);
};

const partsOf = (node) => {
  if (node.type === "SwitchCase") return node.consequent;
  if (UNSEEN.has(node.type)) return [];
  if (node.type === "BinaryExpression" && /==/.test(node.operator)) return [];
  if (node.type === "CallExpression" || node.type === "NewExpression") {
    return [node.callee, ...argumentsFor(node)];
  }
  if (node.type === "Property" && !node.computed && !isString(node.key)) return [node.value];
  return children(node);
};

const isShown = (node) =>
  (node.type === "CallExpression" && SHOWN.has(nameOf(node.callee))) ||
  (node.type === "Property" && SHOWN.has(nameOf(node.key)));

const visit = (node, tell, shown = false) => {
  if (!isString(node)) {
    partsOf(node).forEach((child) => visit(child, tell, isShown(node)));
    return;
  }
  for (const way of waysOf(node)) tell(written(way), node.loc.start.line, shown);
  const inner = node.type === "TemplateLiteral" ? node.expressions : children(node);
  inner.filter((child) => !isString(child)).forEach((child) => visit(child, tell));
};

for (const path of process.argv.slice(2)) {
  const tree = parse(readFileSync(path, "utf8"), {
    ecmaVersion: 2024,
    sourceType: "module",
    loc: true,
  });
  visit(tree, (text, line, shown) => {
    process.stdout.write(`${JSON.stringify({ text, place: `${path}:${line}`, shown })}\n`);
  });
}
