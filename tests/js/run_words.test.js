import assert from "node:assert/strict";
import { test } from "node:test";

import * as words from "qwen/page/run_words.js";

const RUNNING = { status: "running", step: 12, steps: 200, elapsed: 75, remaining: 600 };

test("a running run starts, trains and stops", () => {
  assert.equal(words.phaseOf({ ...RUNNING, step: 0 }), "starting");
  assert.equal(words.phaseOf({ ...RUNNING, step: 0 }, { start: { event: "start" } }), "running");
  assert.equal(words.phaseOf(RUNNING), "running");
  assert.equal(words.phaseOf({ ...RUNNING, stopping: true }), "stopping");
  assert.equal(words.phaseOf({ status: "failed" }), "failed");
  assert.equal(words.titleOf("stopping"), "Stopping");
});

test("a phase is named, with how far it is and what is left", () => {
  const phase = { phase: "before", done: 2048, total: 4984 };
  const answer = { status: "running", step: 0, steps: 60, remaining: 21.4 };
  const known = { start: null, phase };
  assert.equal(words.phaseOf(answer, known), "before");
  assert.equal(words.saidInBar(answer, known), "Measuring before, 41 %, about 21 s left");
  assert.equal(
    words.reasonOf(answer, "before", known),
    "The model is measured before training. 41 %",
  );
  assert.equal(words.shareOf(answer, known), 2048 / 4984);
  const blocks = { phase: { phase: "prefix", done: 3, total: 12 } };
  assert.equal(
    words.saidInBar({ ...answer, remaining: null }, blocks),
    "Computing the prefix, 3 of 12",
  );
  const training = { ...answer, step: 12 };
  const told = { phase: { phase: "training", done: 0, total: 0 } };
  assert.equal(words.saidInBar(training, told), "Training, step 12 of 60, about 21 s left");
  assert.equal(words.shareOf(training, told), 0.2);
  assert.equal(words.saidInBar({ status: "completed" }, told), "");
});

test("what a run was given is named, else what its worker found", () => {
  const deviceOf = (answer, start) =>
    words
      .factsOf({ ...RUNNING, ...answer }, { start })
      .find(([, label]) => label === "device")?.[0];
  const start = { device: "cuda", device_name: "NVIDIA L4" };
  assert.equal(deviceOf({ on: ["GPU 1, NVIDIA L4"] }, start), "GPU 1, NVIDIA L4");
  assert.equal(deviceOf({ on: [] }, start), "NVIDIA L4");
  assert.equal(deviceOf({}, null), undefined);
});

test("figures that are not known are left out", () => {
  const known = { start: { device: "cpu" }, epoch: 0.5 };
  const speed = { seconds_per_step: 0.25, tokens_per_second: 4096.4 };
  assert.deepEqual(words.factsOf({ ...RUNNING, ...speed }, known), [
    ["12 of 200 (6 %)", "steps"],
    ["0.5", "epoch"],
    ["1 min 15 s", "elapsed"],
    ["10 min 00 s", "remaining"],
    ["4", "steps per second"],
    ["4,096", "tokens per second"],
    ["cpu", "device"],
  ]);
  const over = { ...RUNNING, status: "completed", step: 200 };
  assert.deepEqual(
    words.factsOf(over, { start: null, epoch: null }).map(([, label]) => label),
    ["steps", "elapsed"],
  );
});

test("the sentence below says why it ended, what it waits for, or that it is silent", () => {
  const reason = (answer) => words.reasonOf(answer, words.phaseOf(answer));
  assert.equal(reason({ status: "failed", reason: "Out of memory." }), "Out of memory.");
  assert.match(reason({ ...RUNNING, heartbeat_age: 61 }), /No update for 1 min 01 s/);
  assert.equal(reason({ ...RUNNING, heartbeat_age: 59 }), "");
  assert.match(reason({ ...RUNNING, step: 0 }), /loads the model/);
  assert.match(reason({ ...RUNNING, stopping: true }), /Stopping/);
});

test("a run in the queue says how many are before it", () => {
  const reason = (place) => words.reasonOf({ status: "queued", place }, "queued");
  assert.equal(reason(null), "");
  assert.equal(reason({ running: [], before: 0 }), "The worker is being started.");
  const busy = "first · nano is using the device. ";
  assert.equal(reason({ running: ["first · nano"], before: 0 }), `${busy}This run is next.`);
  assert.equal(reason({ running: ["first · nano"], before: 2 }), `${busy}Number 3 in the queue.`);
});

test("suggested changes and the outcome are put into words", () => {
  assert.equal(
    words.changesInWords({ batch_size: 32, dtype: "bfloat16" }),
    "batch size 32, dtype bfloat16",
  );
  assert.equal(words.changesInWords(null), "");
  const end = { eval_loss_before: 5.5, eval_loss_after: 4.25 };
  assert.deepEqual(words.outcomeOf(end), { before: "5.500", after: "4.250", change: "−1.250" });
  assert.equal(words.outcomeOf({ eval_loss_before: 5.5, eval_loss_after: null }), null);
  assert.equal(words.outcomeOf(undefined), null);
});

test("what was lost of a text to keep stands with its errors", () => {
  assert.equal(words.keptOf({ eval_loss_before: 5, eval_loss_after: 4 }), null);
  const end = { keep_loss_before: 3.3, keep_loss_after: 4.05, kl: 0.31, keep_error: 0.0123 };
  assert.deepEqual(words.keptOf(end), {
    before: "3.300",
    after: "4.050",
    change: "+0.750 ± 0.012",
    kl: "0.310",
  });
});
