import assert from "node:assert/strict";
import { test } from "node:test";

import { tabAfter } from "qwen/page/tab_keys.js";

test("arrows go round, Home and End to the ends, other keys nowhere", () => {
  assert.equal(tabAfter("ArrowRight", 0, 5), 1);
  assert.equal(tabAfter("ArrowRight", 4, 5), 0);
  assert.equal(tabAfter("ArrowLeft", 0, 5), 4);
  assert.equal(tabAfter("Home", 3, 5), 0);
  assert.equal(tabAfter("End", 1, 5), 4);
  assert.equal(tabAfter("ArrowDown", 1, 5), -1);
  assert.equal(tabAfter("a", 1, 5), -1);
});
