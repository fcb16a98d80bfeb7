import assert from "node:assert/strict";
import { test } from "node:test";

import { isConfiguration, wishOf } from "qwen/page/given_files.js";

const fileOf = (name, ...parts) => new File(parts, name);

const weights = (header, name = "model.safetensors") => {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new BigUint64Array([BigInt(text.length)]);
  return fileOf(name, new Uint8Array(length.buffer), text, new Uint8Array(16));
};

test("text that is JSON is a configuration", () => {
  assert.ok(isConfiguration('\n {"model_type": "qwen2"}'));
  assert.ok(!isConfiguration("qwen2.5-0.5b-instruct"));
});

test("a dropped config.json is asked for with its own name", async () => {
  const { wanted } = await wishOf(fileOf("mine.json", '{"model_type": "qwen2"}'));
  assert.deepEqual(wanted, { config: '{"model_type": "qwen2"}', file: "mine.json" });
});

test("of weights the header alone is read", async () => {
  const header = {
    __metadata__: { format: "pt" },
    "model.norm.weight": { dtype: "BF16", shape: [128], data_offsets: [0, 16] },
  };
  const { wanted } = await wishOf(weights(header));
  assert.deepEqual(wanted, { tensors: { "model.norm.weight": [128] }, file: "model.safetensors" });
});

test("what is neither is said with its own name", async () => {
  for (const file of [
    fileOf("notes.txt", "hello"),
    fileOf("cut.safetensors", "abc"),
    weights({}, "empty.safetensors"),
    weights({ a: 1 }, "odd.safetensors"),
    fileOf("lies.safetensors", new Uint8Array([255, 255, 255, 255, 255, 255, 255, 127]), "{}"),
    fileOf("large.json", "{".repeat(1024 * 1024 + 1)),
  ]) {
    const { wanted, wrong } = await wishOf(file);
    assert.equal(wanted, undefined);
    assert.ok(wrong.startsWith(`'${file.name}'`), wrong);
  }
});
