import assert from "node:assert/strict";
import { test } from "node:test";

import { shapeOf } from "qwen/inspect/block_picture.js";
import { FROZEN, ModuleTree, PARTLY, TRAINS } from "qwen/inspect/module_tree.js";
import { searchTest } from "qwen/inspect/search.js";
import { treeRecord } from "./small_model.js";

const treeOf = () => new ModuleTree(treeRecord());

test("what leads to the blocks, their fold and the first block are open", () => {
  const tree = treeOf();
  const labels = tree.visible.map((row) => tree.label[row]);
  assert.deepEqual(labels, [
    "Small",
    "model",
    "embed_tokens",
    "layers",
    "0-1",
    "0",
    "q_proj",
    "1",
    "norm",
    "lm_head",
  ]);
  assert.equal(tree.size, 17);
});

test("modules are trained as what is below them", () => {
  const tree = treeOf();
  tree.showTrained(["model.layers.1.q_proj.weight", "model.layers.1.q_proj.bias"]);
  const state = (name) => tree.state[tree.rowOf(name)];
  assert.equal(state("model.layers.1"), TRAINS);
  assert.equal(state("model.layers.0"), FROZEN);
  assert.equal(state("model"), PARTLY);
  assert.equal(tree.state[5], PARTLY); // the fold
});

test("a tied tensor trains by its first name", () => {
  const tree = treeOf();
  tree.showTrained(["model.embed_tokens.weight"]);
  assert.equal(tree.state[tree.rowOf("lm_head.weight")], TRAINS);
});

test("names of tensors are listed once each", () => {
  const tree = treeOf();
  assert.deepEqual(tree.tensorsOf(tree.rowOf("lm_head")), []);
  assert.deepEqual(tree.tensorsOf(tree.rowOf("model.layers.0")), [
    "model.layers.0.q_proj.weight",
    "model.layers.0.q_proj.bias",
  ]);
});

test("a name lies in a block, at a path", () => {
  const tree = treeOf();
  assert.deepEqual(tree.whereIs("model.layers.1.q_proj"), { block: 1, inside: "q_proj" });
  assert.deepEqual(tree.whereIs("model.norm"), { block: 0, inside: "" });
  assert.deepEqual(tree.whereIs("model.layers"), { block: 0, inside: "" });
});

test("folded blocks have one form", () => {
  const tree = treeOf();
  assert.equal(tree.formOf(0), tree.formOf(1));
  assert.equal(tree.formOf(7), "block 7");
});

const found = (query, asRegex = false) => {
  const tree = treeOf();
  tree.filter(searchTest(tree, query, asRegex));
  return [...tree.found.match.keys()]
    .filter((row) => tree.isMatch(row))
    .map((row) => tree.name[row]);
};

test("words of a search must all occur", () => {
  assert.deepEqual(found("bias"), ["model.layers.0.q_proj.bias", "model.layers.1.q_proj.bias"]);
  assert.deepEqual(found("BIAS 1"), ["model.layers.1.q_proj.bias"]);
  assert.deepEqual(found("nothing of the kind"), []);
});

test("a whole number is an index in the name", () => {
  assert.deepEqual(found("2"), []); // neither Qwen2 nor 2 × 3
  assert.equal(found("0").length, 4);
});

test("fields narrow a search", () => {
  assert.deepEqual(found("role:norm"), ["model.norm", "model.norm.weight"]);
  assert.equal(found("kind:q_proj.bias").length, 2);
  assert.deepEqual(found("kind:proj.bias"), []); // whole parts of a name
  assert.deepEqual(found("class:rmsnorm"), ["model.norm"]);
  assert.equal(found("block:1").length, 4);
  assert.deepEqual(found("block:x"), []);
  assert.deepEqual(found("constructor:x"), []);
});

test("a regular expression is tried on full names", () => {
  assert.deepEqual(found("layers\\.[01]\\..*weight$", true), [
    "model.layers.0.q_proj.weight",
    "model.layers.1.q_proj.weight",
  ]);
  assert.throws(() => found("(", true), SyntaxError);
});

test("tensors that were found are listed", () => {
  const tree = treeOf();
  assert.equal(tree.filter(searchTest(tree, "lm_head", false)), 2);
  assert.deepEqual(tree.matchedTensors(), []); // a second name
  tree.filter(searchTest(tree, "norm", false));
  assert.deepEqual(tree.matchedTensors(), ["model.norm.weight"]);
});

test("what has no shape in the picture is shown by what holds it", () => {
  const shapes = ["self_attn", "self_attn.q_proj", "mlp"];
  assert.equal(shapeOf(shapes, "self_attn.q_proj.weight"), "self_attn.q_proj");
  assert.equal(shapeOf(shapes, "self_attn.o_proj"), "self_attn");
  assert.equal(shapeOf(shapes, "norm"), "");
  assert.equal(shapeOf(shapes, ""), "");
});
