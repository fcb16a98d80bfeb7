import assert from "node:assert/strict";
import { test } from "node:test";

import { movementGrid } from "qwen/page/movement.js";
import { SampleTexts } from "qwen/page/samples.js";

const textsAt = (...steps) => {
  const texts = new SampleTexts();
  texts.add(steps.map((step) => ({ step, prompt: "And", text: `text ${step}` })));
  return texts;
};

test("one sample is before; with another it stands beside the last", () => {
  assert.deepEqual(textsAt(0).columns(null, false), [{ step: 0, title: "before" }]);
  assert.deepEqual(
    textsAt(0, 1000)
      .columns(null, false)
      .map(({ title }) => title),
    ["before", "now, step 1,000"],
  );
  assert.equal(textsAt(0, 40).columns(null, true)[1].title, "after, step 40");
  assert.equal(textsAt(20).columns(null, true)[0].title, "step 20");
});

test("between them stands the one that is chosen, else the one halfway", () => {
  const texts = textsAt(30, 0, 10, 20, 40);
  const middle = (chosen) => texts.columns(chosen, false)[1];
  assert.deepEqual(middle(null), { step: 20, between: [10, 20, 30] });
  assert.equal(middle(30).step, 30);
  assert.equal(middle(7).step, 20, "a step that is no longer there");
});

test("of a step that comes again the later text counts", () => {
  const texts = textsAt(0, 5);
  texts.add([{ step: 5, prompt: "And", text: "another" }]);
  assert.equal(texts.prompts.get("And").get(5), "another");
  assert.deepEqual(texts.steps, [0, 5]);
});

test("movements make a grid of blocks and steps, gaps where a block was not measured", () => {
  const grid = movementGrid([
    { step: 10, blocks: [[3, 0.5]] },
    {
      step: 20,
      blocks: [
        [3, 0.7],
        [2, 0.1],
      ],
    },
  ]);
  assert.deepEqual(grid, {
    steps: [10, 20],
    blocks: [2, 3],
    norms: [
      [null, 0.1],
      [0.5, 0.7],
    ],
  });
});
