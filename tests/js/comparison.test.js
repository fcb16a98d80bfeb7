import assert from "node:assert/strict";
import { test } from "node:test";

import * as data from "qwen/compare/comparison_data.js";
import { rateTraces } from "qwen/page/rate_curve.js";
import { methodsOf, placesOf, progressOf, shadeOfPlace } from "qwen/compare/scores_data.js";

const row = (plan, more = {}) => ({
  plan,
  runs: 2,
  trainable: 8192,
  share: 8192 / 1543714304,
  learning_rate: 0.001,
  rate_source: "suggested",
  before: 5,
  after: 4,
  spread: 0.01,
  perplexity: 54.598,
  seconds: 12.34,
  rate_seconds: 3.21,
  tokens_per_second: 4096.4,
  peak_bytes: 1.234e9,
  delta_bytes: 16384,
  gain_per_million: 122.1,
  gain_per_second: 0.081,
  front: true,
  ...more,
});
const run = (plan, status, more = {}) => ({
  plan,
  seed: 0,
  status,
  step: 3,
  steps: 9,
  lines: {},
  ...more,
});

const search = (plan, status, more = {}) => ({
  plan,
  status,
  rate: null,
  steps: 15,
  trials: [
    [0.01, 4],
    [0.03, 3.5],
    [0.1, null],
  ],
  ...more,
});

test("a row's figures are written as everywhere on the page", () => {
  const texts = data.columnsOf([row("bitfit")]).map(([, text]) => text(row("bitfit")));
  assert.deepEqual(texts, [
    "bitfit",
    "8,192",
    "0.00053 %",
    "0.001",
    "5.000",
    "4.000 ± 0.010",
    "54.6",
    "12.3",
    "3.2 s",
    "4,096",
    "1.23 GB",
    "16.4 kB",
    "122",
    "0.081",
  ]);
});

test("of one seed there is no spread", () => {
  const after = data.columnsOf([]).find(([title]) => title === "after")[1];
  assert.equal(after(row("bitfit", { runs: 1 })), "4.000");
});

test("runs are told in a few words, failed ones with their reason", () => {
  assert.equal(data.runInWords(run("a", "running")), "a, seed 0: 3 / 9");
  assert.equal(data.runInWords(run("a", "queued")), "a, seed 0: queued");
  const runs = [
    run("a", "failed", { reason: "No memory." }),
    run("b", "failed"),
    run("c", "stopped"),
  ];
  const searches = [search("c", "failed", { reason: "No data." }), search("d", "completed")];
  assert.deepEqual(data.failuresOf({ runs, searches }), [
    "c, finding its rate: No data.",
    "a, seed 0: No memory.",
  ]);
});

test("searches for rates are told in a few words, and drawn with a star at what was found", () => {
  assert.equal(data.searchInWords(search("a", "running")), "a: finding its rate, 3 tried");
  assert.equal(data.searchInWords(search("a", "queued")), "a: rate queued");
  const found = rateTraces([search("a", "completed", { rate: 0.02 })], () => "red");
  assert.deepEqual(
    found.map(({ x, y }) => [x, y]),
    [
      [
        [0.01, 0.03],
        [4, 3.5],
      ],
      [[0.02], [3.5]],
    ],
  );
  assert.equal(rateTraces([search("a", "running")], () => "red").length, 1);
  assert.deepEqual(
    rateTraces([search("a", "queued", { trials: [] })], () => "red"),
    [],
  );
});

test("a comparison is done when all of its runs are completed", () => {
  assert.equal(data.isDone({ over: true, runs: [run("a", "completed")] }), true);
  assert.equal(data.isDone({ over: true, runs: [run("a", "stopped")] }), false);
  assert.equal(data.isDone({ over: false, runs: [run("a", "completed")] }), false);
  assert.match(data.verdictOf({ over: false, rows: [], verdict: "x" }), /once two plans/);
  const found = { rows: [1, 2], verdict: "x", model: "nano", headline: "A beats B" };
  assert.equal(data.verdictOf({ ...found, over: true, runs: [] }), "On nano: x");
  const runs = [{ status: "completed" }, { status: "running" }];
  assert.equal(
    data.verdictOf({ ...found, over: false, runs }),
    "So far, on nano, with 1 of 2 runs over: x",
  );
  assert.equal(data.headlineOf({ ...found, over: false }), "So far: A beats B");
  assert.equal(data.headlineOf({ ...found, over: true }), "A beats B");
  assert.equal(data.headlineOf({ headline: "", over: false }), "");
});

test("how far a comparison is", () => {
  const runs = [
    { plan: "BitFit", seed: 0, status: "completed" },
    { plan: "BitFit", seed: 1, status: "running", step: 12, steps: 60 },
  ];
  assert.equal(
    data.progressOf({ searches: [{ plan: "BitFit", status: "completed" }], runs }),
    "2 of 3 runs are over; BitFit, seed 1: 12 / 60",
  );
  assert.equal(data.progressOf({ searches: [], runs: [runs[0]] }), "1 of 1 run is over");
});

test("the best plan and the learning rates by their source", () => {
  const rows = [row("a", { after: 4.2 }), row("b"), row("c", { after: 4.1, rate_source: "given" })];
  assert.equal(data.bestPlan(rows), "b");
  assert.equal(data.bestPlan([]), null);
  assert.deepEqual(data.ratesBySource(rows), [
    [
      "suggested",
      [
        ["a", "0.001"],
        ["b", "0.001"],
      ],
    ],
    ["given", [["c", "0.001"]]],
  ]);
});

test("a run has the curves that it has lines for; names stand where there is room", () => {
  const lines = {
    eval: [
      [0, 9],
      [5, 4],
    ],
  };
  const curves = data.curves([run("a", "running", { lines }), run("b", "queued")], () => "red");
  assert.deepEqual(
    curves.map(({ name, mode }) => [name, mode]),
    [["a, seed 0", "lines+markers"]],
  );
  const front = data.front(
    [row("a"), row("b", { trainable: 22028288, front: false })],
    () => "red",
  );
  assert.deepEqual(
    front.map((one) => one.textposition),
    ["middle right", "middle left"],
  );
  assert.deepEqual(
    front.map((one) => one.marker.size),
    [12, 8],
  );
});

test("scores are shaded by their place", () => {
  const places = placesOf({ order: [2, 0, 1] });
  assert.deepEqual(places, [1, 2, 0]);
  assert.deepEqual(
    [0, 1, 2].map((place) => shadeOfPlace(place, 3)),
    [90, 34, 6],
  );
  assert.equal(shadeOfPlace(0, 1), 90);
  assert.deepEqual(progressOf({ done: 1, total: 4, seconds: 3 }).share, 0.25);
  assert.match(progressOf({ done: 0, total: 0, seconds: 0 }).text, /starting, 0 s/);
});

test("methods take the scores of the tensors that count", () => {
  const answer = {
    methods: [{ name: "gradient" }],
    trained: { scores: [[1, 2]], orders: [[1, 0]] },
    all: { scores: [[5, 4]], orders: [[0, 1]] },
  };
  assert.deepEqual(methodsOf(answer, "trained"), [
    { name: "gradient", scores: [1, 2], order: [1, 0] },
  ]);
  assert.deepEqual(methodsOf(answer, "all")[0].order, [0, 1]);
});

test("what was forgotten has columns and a chart only where it was measured", () => {
  const old = row("old");
  const kept = row("kept", {
    gain: 1.5,
    forgetting: 0.1234,
    forgetting_spread: 0.01,
    kl: 0.25,
    kept_front: true,
  });
  const titles = (rows) => data.columnsOf(rows).map(([title]) => title);
  assert.ok(!titles([old]).includes("forgets"));
  assert.equal(titles([old, kept]).indexOf("forgets"), titles([old]).indexOf("after") + 1);
  const text = (title, r) =>
    data
      .columnsOf([kept])
      .find(([name]) => name === title)[1](r);
  assert.equal(text("forgets", kept), "+0.123 ± 0.010");
  assert.equal(text("KL", kept), "0.250");
  assert.equal(text("forgets", old), "");
  assert.deepEqual(
    data.keptFront([old], () => "red"),
    [],
  );
  const [trace] = data.keptFront([kept], () => "red");
  assert.deepEqual([trace.x, trace.y], [[0.1234], [1.5]]);
});
