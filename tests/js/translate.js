/* Texts of the page as a language says them: JSON lists of strings on standard input; of each,
   {text, whole}, on standard output. The page's own look-up does the work. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { json } from "node:stream/consumers";
import { Dictionary } from "qwen/page/dictionary.js";

const dictionary = new Dictionary(JSON.parse(readFileSync(process.argv[2], "utf8")));
// Not at once, as a file is read: a pipe that nobody has written to yet is an error then.
const texts = await json(process.stdin);
process.stdout.write(JSON.stringify(texts.map((text) => dictionary.translate(text))));
