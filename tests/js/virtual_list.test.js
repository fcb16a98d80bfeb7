import assert from "node:assert/strict";
import { test } from "node:test";

import { rowsInView } from "qwen/page/virtual_list.js";

test("only rows in view are drawn, and a few beyond each edge", () => {
  assert.deepEqual(rowsInView(0, 100, 20, 1000), [0, 11]);
  assert.deepEqual(rowsInView(10_000, 100, 20, 1000), [494, 511]);
  assert.deepEqual(rowsInView(19_900, 100, 20, 1000), [989, 999]);
});

test("nothing is drawn of an empty list, all of a short one", () => {
  const [first, last] = rowsInView(0, 100, 20, 0);
  assert.ok(last < first);
  assert.deepEqual(rowsInView(0, 900, 20, 3), [0, 2]);
});
