import assert from "node:assert/strict";
import { test } from "node:test";

import { held, joined, lastValue, NO_LINE, spread } from "qwen/page/lines.js";

test("what comes of a line is joined to what is held of it", () => {
  const first = [
    [1, 2],
    [5, 4],
  ];
  assert.deepEqual(joined(NO_LINE, first), first);
  const all = held({ loss: first }, { loss: [[3], [null]], eval: [[3], [4.5]] });
  assert.deepEqual(all, {
    loss: [
      [1, 2, 3],
      [5, 4, null],
    ],
    eval: [[3], [4.5]],
  });
  assert.deepEqual(
    first,
    [
      [1, 2],
      [5, 4],
    ],
    "what was held is not changed",
  );
});

test("the last value is no gap", () => {
  assert.equal(lastValue([1, 2, null]), 2);
  assert.equal(lastValue([0, null]), 0);
  assert.equal(lastValue([null]), null);
  assert.equal(lastValue([]), null);
});

test("labels that have room stay where their lines end", () => {
  assert.deepEqual(spread([10, 90, 50], 0, 100, 17), [10, 90, 50]);
});

test("labels keep a distance, their order, and stay inside", () => {
  const placed = spread([98, 99, 97, -20], 0, 100, 17);
  assert.deepEqual(placed, [83, 100, 66, 0]);
  for (const at of placed) assert.ok(at >= 0 && at <= 100);
});

test("where there is no room for all, the lowest stay inside", () => {
  const placed = spread([0, 0, 0], 0, 20, 17);
  assert.equal(Math.max(...placed), 20);
  assert.deepEqual(
    [...placed].sort((a, b) => a - b),
    [-14, 3, 20],
  );
});
