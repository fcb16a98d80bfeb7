import assert from "node:assert/strict";
import { test } from "node:test";

import {
  held,
  joined,
  lastValue,
  nearest,
  NO_LINE,
  spread,
  valueAt,
  wholeTicks,
} from "qwen/page/lines.js";

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

test("the value at a place is that of the nearest point", () => {
  assert.deepEqual(
    [-5, 1, 1.4, 1.6, 9].map((at) => nearest([1, 2, 4], at)),
    [0, 0, 0, 1, 2],
  );
  assert.equal(nearest([], 1), -1);
  const line = [
    [1, 2, 4],
    [5, null, 3],
  ];
  assert.deepEqual(
    [0, 2, 3.1].map((at) => valueAt(line, at)),
    [5, null, 3],
  );
  assert.equal(valueAt(NO_LINE, 1), null);
});

test("few steps have a tick each, none between two", () => {
  assert.equal(wholeTicks(4).dtick, 1);
  assert.equal(wholeTicks(12).dtick, 1);
  assert.equal(wholeTicks(60).dtick, null, "plotly's own ticks are whole there");
  assert.equal(wholeTicks(0).dtick, null);
});
