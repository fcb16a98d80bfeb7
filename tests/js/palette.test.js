import assert from "node:assert/strict";
import { test } from "node:test";

import { itemsOf, search } from "qwen/page/palette_items.js";

const ITEMS = itemsOf({
  models: ["nano", "qwen2.5-1.5b-instruct"],
  presets: ["attention", "bitfit"],
  saved: ["my plan"],
  runs: [{ run: "20261127-x", title: "bitfit on last:4 · nano" }],
});
const names = (query) => search(ITEMS, query).map(({ kind, name }) => `${kind} ${name}`);

test("without a word everything is listed, tabs first", () => {
  assert.equal(names("")[0], "tab Inspect");
  assert.equal(search(ITEMS, "").length, ITEMS.length);
});

test("what begins with the word comes first, and every word has to be there", () => {
  assert.deepEqual(names("nano"), ["model nano", "run bitfit on last:4 · nano"]);
  assert.deepEqual(names("bitfit"), ["plan bitfit", "run bitfit on last:4 · nano"]);
  assert.deepEqual(names("run 20261127"), ["run bitfit on last:4 · nano"]);
  assert.deepEqual(names("1.5b qwen"), ["model qwen2.5-1.5b-instruct"]);
  assert.deepEqual(names("nothing of it"), []);
});
