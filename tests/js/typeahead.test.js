import assert from "node:assert/strict";
import { test } from "node:test";

import { isTyped, nextStartingWith, Typeahead } from "qwen/page/typeahead.js";

const key = (letter, timeStamp) => ({ key: letter, timeStamp });

test("letters in quick succession are one text, a later one begins another", () => {
  const typed = new Typeahead();
  assert.equal(typed.add(key("L", 1000)), "l");
  assert.equal(typed.add(key("m", 1500)), "lm");
  assert.equal(typed.add(key("n", 9000)), "n");
});

test("another key ends the text", () => {
  const typed = new Typeahead();
  typed.add(key("l", 1000));
  assert.ok(typed.continues(key(" ", 1100)));
  typed.end();
  assert.ok(!typed.continues(key(" ", 1100)));
  assert.equal(typed.add(key("m", 1200)), "m");
});

test("only characters are typed", () => {
  assert.ok(isTyped({ key: "q" }));
  assert.ok(!isTyped({ key: "q", ctrlKey: true }));
  assert.ok(!isTyped({ key: "q", metaKey: true }));
  assert.ok(!isTyped({ key: "Enter" }));
});

test("a letter goes on to the next label, a longer text may stay", () => {
  const labels = ["model", "norm", "mlp", "Model"];
  const find = (active, text) => nextStartingWith(labels.length, (i) => labels[i], active, text);
  assert.equal(find(0, "m"), 2);
  assert.equal(find(2, "m"), 3);
  assert.equal(find(3, "m"), 0); // round
  assert.equal(find(0, "mo"), 0);
  assert.equal(find(1, "mo"), 3);
  assert.equal(find(1, "n"), 1); // it is the only one
  assert.equal(find(0, "x"), -1);
});
