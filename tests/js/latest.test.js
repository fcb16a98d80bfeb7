import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Latest } from "qwen/freeze/latest.js";

const settled = () => new Promise((done) => setImmediate(done));

/* A worker that is answered by hand. */
const bench = () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const work = [];
  const failures = [];
  const latest = new Latest(
    60,
    (current) => new Promise((answer, fail) => work.push({ answer, fail, current })),
    (error) => failures.push(error.message),
  );
  return { latest, work, failures };
};

test("requests in quick succession are one", (t) => {
  t.after(() => mock.timers.reset());
  const { latest, work } = bench();
  latest.ask();
  mock.timers.tick(40);
  latest.ask();
  mock.timers.tick(40);
  assert.equal(work.length, 0);
  mock.timers.tick(20);
  assert.equal(work.length, 1);
  assert.ok(work[0].current());
});

test("a request while one is answered waits, and the answer is out of date", async (t) => {
  t.after(() => mock.timers.reset());
  const { latest, work } = bench();
  latest.ask();
  mock.timers.tick(60);
  latest.ask();
  mock.timers.tick(60);
  assert.equal(work.length, 1);
  assert.ok(!work[0].current());
  work[0].answer();
  await settled();
  mock.timers.tick(60);
  assert.equal(work.length, 2);
  assert.ok(work[1].current());
});

test("what is dropped is not done", async (t) => {
  t.after(() => mock.timers.reset());
  const { latest, work } = bench();
  latest.ask();
  latest.drop();
  mock.timers.tick(100);
  assert.equal(work.length, 0);
  latest.ask();
  mock.timers.tick(60);
  latest.drop();
  assert.ok(!work[0].current());
  work[0].answer();
  await settled();
  mock.timers.tick(100);
  assert.equal(work.length, 1);
});

test("a failure is told, and the next request is answered", async (t) => {
  t.after(() => mock.timers.reset());
  const { latest, work, failures } = bench();
  latest.ask();
  mock.timers.tick(60);
  work[0].fail(new Error("no answer"));
  await settled();
  assert.deepEqual(failures, ["no answer"]);
  latest.ask();
  mock.timers.tick(60);
  assert.equal(work.length, 2);
});

test("a failure that is out of date is not told", async (t) => {
  t.after(() => mock.timers.reset());
  const { latest, work, failures } = bench();
  latest.ask();
  mock.timers.tick(60);
  latest.drop();
  work[0].fail(new Error("no answer"));
  await settled();
  assert.deepEqual(failures, []);
});
