import assert from "node:assert/strict";
import { test } from "node:test";

import { groupRuns, meanLine } from "qwen/runs/overlay_groups.js";
import { tellingNames } from "qwen/runs/overlay_names.js";

const runs = (...names) =>
  names.map((name, i) => ({ run: `2026-${name}-00${i}`, name, own: false }));
const differ = (setting, ...values) => ({ setting, values });

test("names say what sets runs apart, and nothing that is the same or that says it again", () => {
  const four = runs("a", "a", "b", "b");
  const rows = [
    differ("plan.rule 1", "x", "x", "y", "y"),
    differ("learning_rate", "0.1", "0.1", "–", "–"),
    differ("seed", "0", "1", "0", "1"),
    differ("plan.name", "attention", "attention", "bitfit", "bitfit"),
  ];
  assert.deepEqual(tellingNames(four, rows), [
    "attention, seed 0",
    "attention, seed 1",
    "bitfit, seed 0",
    "bitfit, seed 1",
  ]);
  const rate = [differ("learning_rate", "0.1", "–")];
  assert.deepEqual(tellingNames(runs("a", "b"), rate), ["learning rate 0.1", "b"]);
  assert.deepEqual(tellingNames(runs("a", "b"), [differ("data", "x/one.txt", "y/two.txt")]), [
    "one.txt",
    "two.txt",
  ]);
});

test("a person's own name stays, equals keep the end of their folders' names, one is itself", () => {
  const two = runs("mine", "b");
  two[0].own = true;
  assert.deepEqual(tellingNames(two, [differ("seed", "0", "1")]), ["mine", "seed 1"]);
  assert.deepEqual(tellingNames(runs("same", "same"), []), ["same · 000", "same · 001"]);
  assert.deepEqual(tellingNames(runs("alone"), []), ["alone"]);
});

test("the mean of lines goes between their points, where all of them are", () => {
  const found = meanLine([
    [
      [0, 2, 4],
      [1, 3, 5],
    ],
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
  ]);
  assert.deepEqual(found.x, [1, 2, 3]);
  assert.deepEqual(found.mean, [3, 4, 5]);
  assert.deepEqual(
    found.spread.map((value) => value.toFixed(3)),
    ["1.414", "1.414", "1.414"],
  );
  const gap = meanLine([
    [
      [1, 2],
      [1, null],
    ],
    [
      [1, 2],
      [3, 4],
    ],
  ]);
  assert.deepEqual([gap.x, gap.mean], [[1], [2]]);
  assert.deepEqual(meanLine([[[], []]]).x, []);
  const long = [[...Array(5000).keys()], Array(5000).fill(2)];
  const short = meanLine([long, long]);
  assert.ok(short.x.length <= 401);
  assert.deepEqual([short.x[0], short.x.at(-1)], [0, 4999]);
});

test("runs of a group are one line with a band, others stay", () => {
  const line = (value) => ({
    smooth: [
      [1, 2],
      [value, value],
    ],
  });
  const found = groupRuns(
    [
      { run: "a", name: "A", lines: line(1) },
      { run: "b", name: "B", lines: line(3) },
      { run: "c", name: "C", lines: line(9) },
    ],
    (run) => ({ key: run === "c" ? "c" : "g", title: run === "c" ? "C" : "G" }),
  );
  assert.deepEqual(
    found.map(({ run, members, lines }) => [run, members, lines.smooth[1][0]]),
    [
      ["g", 2, 2],
      ["c", 1, 9],
    ],
  );
  assert.equal(found[0].bands.smooth.high[0].toFixed(3), "3.414");
  assert.deepEqual(found[1].bands, {});
});
