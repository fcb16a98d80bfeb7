import assert from "node:assert/strict";
import { test } from "node:test";

import { MIXED, OFF, ON } from "qwen/freeze/check_state.js";
import { Selection } from "qwen/freeze/selection.js";
import { Structure } from "qwen/freeze/structure.js";
import { TensorTree } from "qwen/freeze/tensor_tree.js";
import { PER_BLOCK, structureRecord } from "./small_model.js";

const structure = new Structure(structureRecord());

const treeWith = (...trained) => {
  const tree = new TensorTree(structure);
  const selection = new Selection(structure, () => {});
  selection.set(trained, 1);
  tree.measure(selection);
  const rowOf = (name) => tree.rows.findIndex((row) => row.name === name);
  return { tree, selection, rowOf };
};

test("a row that text cannot reach stays off, one of which it reaches a part can be on", () => {
  const tree = new TensorTree(new Structure({ ...structureRecord(), unreached: "0,13-18" }));
  const selection = new Selection(tree.structure, () => {});
  selection.set(tree.structure.everything, 1);
  tree.measure(selection);
  const rowOf = (name) => tree.rows.findIndex((row) => row.name === name);
  assert.equal(tree.stateOf(rowOf("model.layers")), ON);
  assert.equal(tree.stateOf(rowOf("model.layers.2")), OFF);
  assert.ok(tree.isUnreached(rowOf("model.layers.2")));
  assert.ok(!tree.isUnreached(rowOf("model.layers")));
});

test("a row is a part of a name, and what leads to the blocks is open", () => {
  const { tree } = treeWith();
  const visible = tree.visible.map((row) => tree.rows[row].name);
  assert.deepEqual(visible, [
    "",
    "model",
    "model.embed_tokens",
    "model.layers",
    "model.layers.0",
    "model.layers.1",
    "model.layers.2",
    "model.norm",
    "lm_head",
  ]);
  assert.equal(tree.rows[0].label, "small");
});

test("a row stands for all tensors below it, a second name for the first's tensor", () => {
  const { tree, rowOf } = treeWith();
  assert.deepEqual(tree.tensorsOf(rowOf("model.layers.1.self_attn")), [7, 8, 9]);
  assert.deepEqual(tree.tensorsOf(rowOf("lm_head")), [0]);
  assert.equal(tree.tensorsOf(0).length, 20);
});

test("states and counts are those of all below", () => {
  const { tree, selection, rowOf } = treeWith(7, 8, 9);
  const row = rowOf("model.layers.1");
  assert.equal(tree.stateOf(row), MIXED);
  assert.equal(tree.stateOf(rowOf("model.layers.1.self_attn")), ON);
  assert.equal(tree.stateOf(rowOf("model.layers.2")), OFF);
  assert.deepEqual(tree.countsOf(row, selection), [36, PER_BLOCK]);
});

test("a tied tensor counts once in the whole, and in full under either name", () => {
  const { tree, selection, rowOf } = treeWith(0);
  assert.deepEqual(tree.countsOf(0, selection), [40, structure.total]);
  assert.deepEqual(tree.countsOf(rowOf("lm_head"), selection), [40, 40]);
  assert.deepEqual(tree.countsOf(rowOf("model.embed_tokens"), selection), [40, 40]);
});

test("a range takes the rows between two, an open row's own rows one by one", () => {
  const { tree, rowOf } = treeWith();
  const [from, to] = [rowOf("model.layers.0"), rowOf("model.layers.1")];
  assert.equal(tree.tensorsBetween(to, from).length, 12);
  tree.setOpen(from, true);
  assert.equal(tree.tensorsBetween(from, rowOf("model.layers.0.self_attn")).length, 3);
});
