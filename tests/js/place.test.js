import assert from "node:assert/strict";
import { test } from "node:test";

import { isSame, placeOf, searchOf } from "qwen/page/place.js";

const USUAL = { model: "big", plan: "attention@last:4" };
const NOWHERE = { tab: "inspect", model: "", plan: "", run: "", comparison: "", module: "" };

test("an address names a place, and a place has one address", () => {
  for (const search of [
    "",
    "?tab=freeze&model=nano",
    "?tab=train&model=nano&plan=bitfit%40last%3A4&run=20261127-x",
    "?tab=compare&comparison=abc",
    "?module=model.layers.3.self_attn",
  ]) {
    assert.equal(searchOf(placeOf(search), USUAL), search);
  }
});

test("a former link to a run leads to its tab", () => {
  assert.equal(placeOf("?run=a").tab, "runs");
  assert.equal(placeOf("?comparison=a").tab, "compare");
});

test("what a page opens with is not named, nor what another tab shows", () => {
  const place = { ...NOWHERE, ...USUAL, tab: "freeze", run: "a", module: "b" };
  assert.equal(searchOf(place, USUAL), "?tab=freeze");
  assert.ok(isSame(place, { ...place, run: "c" }, USUAL));
});

test("what is no place is none", () => {
  assert.deepEqual(placeOf("?tab=evil&unknown=1"), NOWHERE);
  assert.equal(placeOf(`?module=${"x".repeat(5000)}`).module, "");
});
