import assert from "node:assert/strict";
import { test } from "node:test";

import { commonValue, labelled, paintOf, tracesOf } from "qwen/runs/overlay_lines.js";

test("past the last colour the lines are dashed", () => {
  const colours = ["red", "blue"];
  const paints = [0, 1, 2, 6].map((row) => paintOf(row, colours));
  assert.deepEqual(
    paints.map(({ colour }) => colour),
    ["red", "blue", "red", "red"],
  );
  assert.deepEqual(
    paints.map(({ dash }) => dash),
    ["solid", "solid", "dash", "solid"],
  );
});

test("evaluations are dots, hidden runs stay in the legend alone", () => {
  const lines = {
    smooth: [
      [1, 2],
      [5, 4],
    ],
    eval: [[2], [4.5]],
  };
  const runs = [{ run: "r", name: "one", lines }];
  const [line, dots] = tracesOf(runs, new Set(["r"]), ["red"]);
  assert.deepEqual([line.mode, line.name, line.visible], ["lines", "one", "legendonly"]);
  assert.deepEqual(
    [dots.mode, dots.name, dots.line.dash],
    ["lines+markers", "one, evaluation", "dot"],
  );
  assert.equal(tracesOf(runs, new Set(), ["red"])[0].visible, true);
});

test("a label stands at the figure's line, else at the evaluations", () => {
  const lines = { eval: [[2], [4.5]] };
  assert.equal(labelled({ lines }, "loss"), lines.eval);
  assert.equal(labelled({ lines: {} }, "memory_bytes"), null);
  assert.equal(labelled({ lines: { memory_bytes: 1 } }, "memory_bytes"), 1);
});

test("the common value is that of most, null where each stands alone", () => {
  assert.equal(commonValue(["1", "2", "1"]), "1");
  assert.equal(commonValue(["1", "2"]), null);
});
