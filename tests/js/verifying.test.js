import assert from "node:assert/strict";
import { test } from "node:test";
import { listsOf, movedOf, rankText, verdictOf, wrongOf } from "qwen/inspect/verifying_data.js";

const COUNTS = {
  changed: 2,
  unchanged: 300,
  recast: 36,
  frozen_but_changed: 1,
  trainable_but_unchanged: 0,
  inert: 0,
  missing: 0,
  unexpected: 0,
};
const RECORD = { kept: false, plan: {}, counts: COUNTS, frozen_but_changed: ["a"] };

test("the verdict says whether the plan was kept, and counts", () => {
  assert.match(verdictOf(RECORD), /^The plan was not kept\. Changed tensors: 2; unchanged: 336\.$/);
  assert.match(verdictOf({ ...RECORD, kept: true }), /^The plan was kept/);
  assert.match(verdictOf({ ...RECORD, kept: true, plan: null }), /^No errors/);
  assert.match(verdictOf({ ...RECORD, plan: null }), /^Errors were found/);
});

test("lists that are empty are not shown", () => {
  assert.deepEqual(listsOf(RECORD), [["Frozen but changed", ["a"], 1]]);
});

test("the grid's numbers and marks", () => {
  const values = [
    [0, 0.5],
    [null, 0.25],
  ];
  assert.deepEqual(movedOf({ values }), [0.5, 0.25]);
  assert.ok(wrongOf({ wrong: [[1, 1]] }).has("1 1"));
});

test("a rank that is a lower bound says so", () => {
  const round = (value) => String(value);
  assert.equal(rankText({ rank: null }, round), "–");
  assert.equal(rankText({ rank: 2, rank_exact: true }, round), "2");
  assert.equal(rankText({ rank: 400, rank_exact: false }, round), "≥ 400");
});
