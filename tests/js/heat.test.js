import assert from "node:assert/strict";
import { test } from "node:test";

import { barWidth } from "qwen/freeze/bar_scale.js";
import { Heat } from "qwen/freeze/heat.js";
import { endOfScale, Scale } from "qwen/page/scale.js";
import { Structure } from "qwen/freeze/structure.js";
import { structureRecord } from "./small_model.js";

const structure = new Structure(structureRecord());

test("a scale goes from the least to the greatest", () => {
  const scale = new Scale([2, 4, 3]);
  assert.deepEqual([scale.share(2), scale.share(3), scale.share(4)], [0, 0.5, 1]);
  assert.ok(!scale.log);
  assert.ok(Number.isNaN(scale.share(NaN)));
});

test("a wide span of positive values is logarithmic", () => {
  const scale = new Scale([1, 100]);
  assert.ok(scale.log);
  assert.equal(scale.share(10), 0.5);
  assert.equal(scale.share(0), 0);
  assert.ok(!new Scale([-1, 100]).log);
});

test("a few cells far from all others do not stretch the scale", () => {
  const scale = new Scale([...Array.from({ length: 100 }, (_, i) => 100 + i), 1e9, -1e9]);
  assert.ok(scale.below);
  assert.ok(scale.above);
  assert.equal(scale.high, 198);
  assert.equal(scale.share(1e9), 1);
});

test("no values, and equal ones, have a scale too", () => {
  assert.ok(new Scale([]).empty);
  assert.ok(Number.isNaN(new Scale([]).share(1)));
  const flat = new Scale([3, 3]);
  assert.deepEqual([flat.share(3), flat.share(4), flat.share(2)], [0.5, 1, 0]);
});

test("a cell of several tensors has their mean, of counts their sum", () => {
  const values = Array.from({ length: 20 }, (_, t) => (t === 4 ? null : t));
  const heat = new Heat(structure, "norm", { values, blocks: null });
  assert.equal(heat.valueOf([10, 11]), 10.5);
  assert.equal(heat.valueOf([4, 5]), 5);
  assert.ok(Number.isNaN(heat.valueOf([4])));
  assert.equal(heat.sayCell([10, 11]), "\nmean norm: 10.5");
  assert.equal(heat.sayCell([4]), "\nnorm: none");
  assert.ok(Number.isNaN(heat.blockOf(0)));
  const counts = new Heat(structure, "parameters", { values: structure.numel, blocks: null }, true);
  assert.equal(counts.valueOf([10, 11]), 64);
  assert.equal(counts.sayCell([10, 11]), "");
});

test("blocks have scores of their own", () => {
  const heat = new Heat(structure, "rank", { values: null, blocks: [1, 2, null] });
  assert.equal(heat.blockOf(1), 1);
  assert.equal(heat.sayBlock(1), "\nrank: 2");
  assert.equal(heat.sayBlock(2), "\nrank: none");
  assert.ok(Number.isNaN(heat.cellOf([1])));
});

test("the ends of a scale are short", () => {
  assert.equal(endOfScale(49152), "49,200");
  assert.equal(endOfScale(1234567), "1.23 M");
  assert.equal(endOfScale(0.03456), "0.0346");
});

test("bars: a thousandth of a per cent shows on the logarithmic scale alone", () => {
  assert.equal(barWidth(25, 100, "linear"), 25);
  assert.ok(barWidth(8192, 1_543_714_304, "linear") < 0.001);
  assert.ok(barWidth(8192, 1_543_714_304, "log") > 40);
  assert.equal(barWidth(0, 100, "log"), 0);
  assert.equal(barWidth(0, 0, "linear"), 0);
});
