import assert from "node:assert/strict";
import { test } from "node:test";
import { allOf, joined, structureOf, valuesOf } from "qwen/runs/live_grid_data.js";
import { shown, titleOf } from "qwen/page/heat_grid.js";

const KINDS = [
  ["embed.weight", "embedding", []],
  ["q.weight", "attention", [0, 1, 2]],
  ["up.weight", "mlp", [0, 2]],
];
const picture = (step, ratio) => ({
  step,
  rows: [
    ["q.weight", [[2, ratio, 0.5]]],
    ["embed.weight", [[null, 0.125, 2]]],
  ],
});

test("the grid has the columns of the blocks, and as many rows as there are blocks", () => {
  const { inside, outside, blocks } = structureOf(KINDS);
  assert.deepEqual(
    inside.map(([label]) => label),
    ["q.weight", "up.weight"],
  );
  assert.equal(outside.length, 1);
  assert.equal(blocks, 3);
  assert.equal(structureOf([]).blocks, 0);
});

test("what is in no picture is frozen: exactly 0", () => {
  const ratios = valuesOf(picture(1, 0.25), "ratio");
  assert.equal(ratios("q.weight", 2), 0.25);
  assert.equal(ratios("q.weight", 0), 0);
  assert.equal(ratios("embed.weight", null), 0.125);
  assert.equal(valuesOf(picture(1, 0.25), "gradient")("embed.weight", null), 2);
});

test("one scale is of all pictures", () => {
  assert.deepEqual(allOf([picture(1, 0.25), picture(2, null)], "ratio"), [0.25, 0.125, 0.125]);
});

test("pictures go on, or begin again after a resume", () => {
  const first = [picture(1, 0.25)];
  assert.deepEqual(
    joined(first, { again: false, pictures: [picture(2, 1)] }).map(({ step }) => step),
    [1, 2],
  );
  assert.equal(joined(first, { again: true, pictures: [] }).length, 0);
});

test("a cell says what it is", () => {
  assert.equal(titleOf("q.weight", 2, 0, "ratio"), "block 2 · q.weight\nratio: 0");
  assert.equal(titleOf("embed", null, null, "ratio"), "embed\nratio: none");
  assert.equal(shown(0.0000123), "1.23e-5");
  assert.equal(shown(0), "0");
  assert.equal(shown(null), "–");
});
