/* What a dictionary lacks of these texts, and which of its entries none of them asks for: JSON lines
   {text, place} on standard input, one JSON object on standard output. The page's own look-up does
   the work, so a text that passes here is translated there. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { Dictionary } from "qwen/page/dictionary.js";
import { isLanguage, normal } from "qwen/page/wording.js";

const file = JSON.parse(readFileSync(process.argv[2], "utf8"));
const skeleton = (text) => normal(text.replace(/\{\w+\}/g, "{}"));
const entries = new Map(Object.keys(file.texts).map((text) => [skeleton(text), text]));
const dictionary = new Dictionary(file);
const used = new Set();

/* With something in its holes that is language nowhere: a number, a name. */
const filled = (text, sample) => text.replace(/\{\w+\}/g, sample);

const isThere = (text) => {
  const entry = entries.get(skeleton(text));
  if (entry !== undefined) used.add(entry);
  return (
    entry !== undefined ||
    ["7", "x_1"].some((sample) => {
      const instance = filled(text, sample);
      return !isLanguage(instance) || dictionary.translate(instance).whole;
    })
  );
};

let given = "";
process.stdin.setEncoding("utf8");
for await (const chunk of process.stdin) given += chunk;
const texts = given
  .split("\n")
  .filter(Boolean)
  .map((line) => JSON.parse(line));
const missing = texts.filter(({ text }) => !isThere(text));
for (const text of dictionary.used) used.add(text);
const unused = Object.keys(file.texts).filter((text) => !used.has(text));
process.stdout.write(JSON.stringify({ missing, unused }));
