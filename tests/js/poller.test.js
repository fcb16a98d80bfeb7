import assert from "node:assert/strict";
import { test } from "node:test";

import { Poller } from "qwen/page/poller.js";

/* A clock that goes by hand, a place that is shown or not, and a server that is answered by hand. */
class Bench {
  constructor(every = 500) {
    this.timers = new Map();
    this.visible = true;
    this.questions = [];
    this.told = [];
    this.every = every;
    this.poller = new Poller({
      ask: (current) =>
        new Promise((answer, fail) => this.questions.push({ answer, fail, current })),
      every: () => this.every,
      tell: (error) => this.told.push(error && error.message),
      ends: (error) => error.message === "refused",
      place: {
        shown: () => this.visible,
        onShown: (callback) => {
          this.appears = callback;
        },
      },
      clock: {
        set: (callback, wait) => {
          this.timers.set(callback, wait);
          return callback;
        },
        clear: (timer) => this.timers.delete(timer),
      },
    });
  }
  get waits() {
    return [...this.timers.values()];
  }
  async settled() {
    await new Promise((done) => setImmediate(done));
  }
  async answer() {
    this.questions.at(-1).answer();
    await this.settled();
  }
  async fail(text) {
    this.questions.at(-1).fail(new Error(text));
    await this.settled();
  }
  async tick() {
    const [callback] = this.timers.keys();
    this.timers.delete(callback);
    callback();
    await this.settled();
  }
}

test("it asks, waits as long as it is told, and asks again", async () => {
  const bench = new Bench();
  bench.poller.now();
  assert.deepEqual([bench.questions.length, bench.waits], [1, []]);
  await bench.answer();
  assert.deepEqual(bench.waits, [500]);
  bench.every = 2000;
  await bench.tick();
  await bench.answer();
  assert.deepEqual([bench.questions.length, bench.waits], [2, [2000]]);
});

test("null ends the questions until they are asked for", async () => {
  const bench = new Bench(null);
  bench.poller.now();
  await bench.answer();
  assert.deepEqual(bench.waits, []);
  bench.poller.now();
  assert.equal(bench.questions.length, 2);
});

test("never two questions at a time: one asked for meanwhile follows, the old answer is dropped", async () => {
  const bench = new Bench();
  bench.poller.now();
  bench.poller.now();
  bench.poller.now();
  assert.equal(bench.questions.length, 1);
  assert.equal(bench.questions[0].current(), false);
  await bench.answer();
  assert.equal(bench.questions.length, 2);
  assert.equal(bench.questions[1].current(), true);
  await bench.answer();
  assert.deepEqual([bench.questions.length, bench.waits], [2, [500]]);
});

test("failed questions are told once, asked later and later, and forgotten when answered", async () => {
  const bench = new Bench();
  const waits = [];
  bench.poller.now();
  for (let i = 0; i < 6; i++) {
    await bench.fail("no answer");
    waits.push(...bench.waits);
    await bench.tick();
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 15_000, 15_000]);
  assert.deepEqual(bench.told, ["no answer"]);
  await bench.fail("deleted");
  await bench.tick();
  await bench.answer();
  assert.deepEqual(bench.told, ["no answer", "deleted", null]);
  assert.deepEqual(bench.waits, [500]);
});

test("an error that ends the questions is told, and they begin again when they are asked for", async () => {
  const bench = new Bench();
  bench.poller.now();
  await bench.fail("refused");
  assert.deepEqual([bench.told, bench.waits], [["refused"], []]);
  bench.poller.now();
  await bench.answer();
  assert.deepEqual([bench.told, bench.waits], [["refused", null], [500]]);
});

test("out of view nothing is asked; it goes on at once when it comes into view", async () => {
  const bench = new Bench();
  bench.poller.now();
  await bench.answer();
  bench.visible = false;
  await bench.tick();
  bench.appears();
  assert.deepEqual([bench.questions.length, bench.waits], [1, []]);
  bench.visible = true;
  bench.appears();
  bench.appears();
  assert.equal(bench.questions.length, 2);
});

test("stopped, it asks nothing more and drops the answer under way", async () => {
  const bench = new Bench();
  bench.poller.now();
  bench.poller.stop();
  assert.equal(bench.questions[0].current(), false);
  await bench.fail("no answer");
  bench.appears();
  assert.deepEqual([bench.questions.length, bench.waits, bench.told], [1, [], []]);
});
