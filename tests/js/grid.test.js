import assert from "node:assert/strict";
import { test } from "node:test";

import { placeAfterKey, placeAfterTyping, placeOfSpace } from "qwen/freeze/grid_keys.js";
import { GridPlaces } from "qwen/freeze/grid_places.js";
import { Structure } from "qwen/freeze/structure.js";
import { structureRecord } from "./small_model.js";

/* Rows: 0 roles, 1 kinds, 2 embedding, 3 to 5 blocks, 6 norm, 7 lm_head. Columns: 0 the row's own
   box, 1 to 3 attention, 4 experts, 5 norm. */
const places = new GridPlaces(new Structure(structureRecord()));

test("places name the tensors that they stand for", () => {
  const tensors = (r, c) => places.tensorsAt(r, c);
  assert.equal(tensors(0, 0).length, 20);
  assert.equal(tensors(1, 0).length, 18);
  assert.deepEqual(tensors(0, 2), tensors(0, 1)); // one head spans a role's columns
  assert.equal(tensors(0, 1).length, 9);
  assert.deepEqual(tensors(1, 4), [4, 5, 10, 11, 16, 17]);
  assert.deepEqual(tensors(4, 0), [7, 8, 9, 10, 11, 12]);
  assert.deepEqual(tensors(4, 4), [10, 11]);
  assert.deepEqual(tensors(2, 3), []);
  assert.deepEqual(tensors(7, 0), [0]);
});

test("places have labels", () => {
  assert.equal(places.labelAt(0, 0), "everything");
  assert.equal(places.labelAt(0, 1), "attention in all blocks");
  assert.equal(places.labelAt(1, 0), "all blocks");
  assert.equal(places.labelAt(1, 2), "self_attn.q_proj.bias in all blocks");
  assert.equal(places.labelAt(4, 0), "block 1");
  assert.equal(places.labelAt(4, 2), "block 1 self_attn.q_proj.bias");
  assert.equal(places.rowLabel(7), "lm_head.weight = model.embed_tokens.weight (tied)");
});

test("titles say how many there are, and the heat", () => {
  const heat = { sayCell: () => "\nheat: 3", sayBlock: () => "\nscore: 2" };
  assert.equal(
    places.titleAt(4, 4, null),
    "block 1 mlp.experts.*.up_proj.weight\n2 tensors, 8 × 4 = 64 parameters",
  );
  assert.match(places.titleAt(4, 4, heat), /parameters\nheat: 3$/);
  assert.equal(places.titleAt(4, 0, heat), "block 1: 104 parameters\nscore: 2");
  assert.equal(places.titleAt(2, 0, heat), "model.embed_tokens.weight: 40 parameters");
});

test("a rectangle and a line give all that lies in them", () => {
  const sorted = (tensors) => [...tensors].sort((a, b) => a - b);
  assert.deepEqual(sorted(places.rectangle({ r: 4, c: 2 }, { r: 3, c: 1 })), [1, 2, 7, 8]);
  assert.deepEqual(places.line({ r: 3, c: 1 }, { r: 5, c: 1 }), [7, 13]);
  assert.deepEqual(places.line({ r: 3, c: 1 }, { r: 3, c: 3 }), [2, 3]);
  assert.deepEqual(places.line({ r: 3, c: 1 }, { r: 3, c: 1 }), []);
});

const after = (key, r, c, more = {}) => placeAfterKey({ key, ...more }, { r, c }, places, 2);

test("arrows move, and stop at the edges", () => {
  assert.deepEqual(after("ArrowDown", 3, 1), { r: 4, c: 1 });
  assert.deepEqual(after("ArrowUp", 0, 1), { r: 0, c: 1 });
  assert.deepEqual(after("ArrowRight", 3, 5), { r: 3, c: 5 });
  assert.deepEqual(after("ArrowLeft", 3, 1), { r: 3, c: 0 });
  assert.deepEqual(after("PageDown", 3, 1), { r: 5, c: 1 });
});

test("a row outside the blocks has its own box alone", () => {
  assert.deepEqual(after("ArrowUp", 3, 4), { r: 2, c: 0 });
  assert.deepEqual(after("ArrowRight", 2, 0), { r: 2, c: 0 });
  assert.deepEqual(places.start, { r: 3, c: 0 });
});

test("among the heads of roles arrows go from role to role", () => {
  assert.deepEqual(after("ArrowRight", 0, 0), { r: 0, c: 1 });
  assert.deepEqual(after("ArrowRight", 0, 2), { r: 0, c: 4 });
  assert.deepEqual(after("ArrowRight", 0, 5), { r: 0, c: 5 });
  assert.deepEqual(after("ArrowLeft", 0, 4), { r: 0, c: 1 });
  assert.deepEqual(after("ArrowLeft", 0, 3), { r: 0, c: 0 });
  assert.deepEqual(places.shownAt({ r: 0, c: 3 }), { r: 0, c: 1 });
});

test("Home and End go along the row, with Control to the corners", () => {
  assert.deepEqual(after("Home", 4, 3), { r: 4, c: 0 });
  assert.deepEqual(after("End", 4, 3), { r: 4, c: 5 });
  assert.deepEqual(after("Home", 4, 3, { ctrlKey: true }), { r: 0, c: 0 });
  assert.deepEqual(after("End", 4, 3, { metaKey: true }), { r: 7, c: 0 });
  assert.equal(after("q", 4, 3), null);
  assert.equal(after("toString", 4, 3), null);
});

test("Space ticks the cell, with Shift the row, with Control the column", () => {
  const at = { r: 4, c: 3 };
  assert.deepEqual(placeOfSpace({}, at), at);
  assert.deepEqual(placeOfSpace({ shiftKey: true }, at), { r: 4, c: 0 });
  assert.deepEqual(placeOfSpace({ ctrlKey: true }, at), { r: 1, c: 3 });
  assert.deepEqual(placeOfSpace({ shiftKey: true }, { r: 1, c: 3 }), { r: 1, c: 3 });
});

test("digits find a block, letters a kind", () => {
  const typed = (text, r, c) => placeAfterTyping(text, { r, c }, places);
  assert.deepEqual(typed("2", 3, 4), { r: 5, c: 4 });
  assert.deepEqual(typed("9", 3, 4), { r: 3, c: 4 }); // no such block
  assert.deepEqual(typed("o_", 3, 4), { r: 3, c: 3 });
  assert.deepEqual(typed("up_", 3, 0), { r: 3, c: 4 });
  assert.deepEqual(typed("layernorm", 2, 0), { r: 3, c: 5 }); // a row outside the blocks has none
  assert.deepEqual(typed("zz", 3, 4), { r: 3, c: 4 });
});
