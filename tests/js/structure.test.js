import assert from "node:assert/strict";
import { test } from "node:test";

import { readRanges, writeRanges } from "qwen/freeze/ranges.js";
import { Structure } from "qwen/freeze/structure.js";
import { PER_BLOCK, structureRecord } from "./small_model.js";

const structure = new Structure(structureRecord());

test("tensors have names and sizes", () => {
  assert.equal(structure.length, 20);
  assert.equal(structure.nameOf(0), "model.embed_tokens.weight");
  assert.equal(structure.nameOf(8), "model.layers.1.self_attn.q_proj.bias");
  assert.deepEqual(structure.shapeOf(8), [4]);
  assert.equal(structure.sum(structure.everything), structure.total);
});

test("a column is a kind, experts share one, roles stand together", () => {
  const labels = structure.columns.map(({ label }) => label);
  assert.deepEqual(labels, [
    "self_attn.q_proj.weight",
    "self_attn.q_proj.bias",
    "self_attn.o_proj.weight",
    "mlp.experts.*.up_proj.weight",
    "input_layernorm.weight",
  ]);
  const roles = structure.roles.map(({ role, start, size }) => [role, start, size]);
  assert.deepEqual(roles, [
    ["attention", 0, 3],
    ["expert", 3, 1],
    ["norm", 4, 1],
  ]);
  assert.deepEqual(structure.roles[1].tensors, [4, 5, 10, 11, 16, 17]);
});

test("labels are as short as they are clear", () => {
  const shorts = structure.columns.map(({ short }) => short);
  assert.deepEqual(shorts, [
    "q_proj.weight",
    "q_proj.bias",
    "o_proj",
    "up_proj",
    "input_layernorm",
  ]);
});

test("rows: what comes before the blocks, the blocks, the others, second names", () => {
  const labels = structure.rows.map(({ label }) => label);
  assert.deepEqual(labels, [
    "model.embed_tokens.weight",
    "block 0",
    "block 1",
    "block 2",
    "model.norm.weight",
    "lm_head.weight",
  ]);
  assert.equal(structure.rows[5].tied, "model.embed_tokens.weight");
  assert.equal(structure.rows[2].numel, PER_BLOCK);
  assert.deepEqual(structure.rows[2].tensors, [7, 8, 9, 10, 11, 12]);
  assert.deepEqual(structure.cells[2][3], [10, 11]);
  assert.equal(structure.largestBlock, PER_BLOCK);
});

test("a model without blocks has rows too", () => {
  const record = { ...structureRecord(), blocks: 0, block: [-1, -1], kind: [0, 7], aliases: [] };
  const flat = new Structure(record);
  assert.deepEqual(
    flat.rows.map(({ label }) => label),
    ["model.embed_tokens.weight", "model.norm.weight"],
  );
  assert.deepEqual(flat.columns, []);
});

test("ranges are read as they are written", () => {
  assert.deepEqual([...readRanges("0-2,5", 7)], [1, 1, 1, 0, 0, 1, 0]);
  assert.deepEqual([...readRanges("", 2)], [0, 0]);
  assert.equal(writeRanges(Uint8Array.of(1, 1, 1, 0, 0, 1, 0)), "0-2,5");
  assert.equal(writeRanges(Uint8Array.of(0, 1, 1)), "1-2");
  assert.equal(writeRanges(Uint8Array.of(0, 0)), "");
});
