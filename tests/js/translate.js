/* Texts of the page as a language says them: JSON lists of strings on standard input; of each,
   {text, whole}, on standard output. The page's own look-up does the work. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { Dictionary } from "qwen/page/dictionary.js";

const dictionary = new Dictionary(JSON.parse(readFileSync(process.argv[2], "utf8")));
const texts = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(texts.map((text) => dictionary.translate(text))));
