import assert from "node:assert/strict";
import { test } from "node:test";

import { signed } from "qwen/page/format.js";
import { calledBy, COLUMNS, RunList } from "qwen/runs/run_list.js";

const row = (number, more = {}) => ({
  run: `20261125-15421${number}-attention-nano-3f9${number}`,
  name: "",
  plan: "attention",
  model: "folder/nano",
  status: "completed",
  note: "",
  data: "kjv",
  tags: [],
  created: 1000 + number,
  step: 40,
  steps: 40,
  trainable: 22028288,
  loss: 4,
  eval_before: 6,
  eval_after: 5 - number,
  elapsed: 75,
  ...more,
});

const listOf = (...rows) => {
  const list = new RunList();
  const total = rows.length;
  assert.equal(list.merge({ rows, seen: "a:1", whole: true, total }), "changed");
  return list;
};

test("a row is shown by the columns' texts", () => {
  const text = (key) => COLUMNS.find((column) => column.key === key).text(row(1));
  assert.equal(text("name"), "attention-nano-3f91");
  assert.equal(text("model"), "nano");
  assert.equal(text("trainable"), "22.0 M");
  assert.equal(text("elapsed"), "1 min 15 s");
  assert.equal(text("learning_rate"), "–");
  assert.equal(text("forgetting"), "–");
  assert.equal(signed(0.1), "+0.100");
  assert.equal(calledBy(row(1, { name: "mine" })), "mine");
});

test("what was forgotten has columns where a run had a text to keep", () => {
  const keys = (list) => list.columns.map(({ key }) => key);
  assert.ok(!keys(listOf(row(1), row(2, { kl: null }))).includes("forgetting"));
  const list = listOf(row(1), row(2, { forgetting: -0.0123, kl: 0.0016 }));
  assert.ok(keys(list).includes("forgetting"));
  const text = (key) => list.columns.find((column) => column.key === key).text;
  const [old, kept] = [row(1), list.runs.get(row(2).run)];
  assert.deepEqual([text("forgetting")(kept), text("kl")(kept)], ["−0.012", "0.002"]);
  assert.deepEqual([text("forgetting")(old), text("kl")(old)], ["–", "–"]);
});

test("changed rows replace the old ones; nothing new is the same", () => {
  const list = listOf(row(1), row(2));
  const answer = { rows: [row(2, { loss: 3 })], seen: "a:2", whole: false, total: 2 };
  assert.equal(list.merge(answer), "changed");
  assert.equal(list.runs.get(row(2).run).loss, 3);
  assert.equal(list.merge({ rows: [], seen: "a:2", whole: false, total: 2 }), "same");
});

test("a removed run makes the list incomplete, and the next whole one drops its tick", () => {
  const list = listOf(row(1), row(2));
  list.tick(row(1).run, true);
  assert.equal(list.merge({ rows: [], seen: "a:3", whole: false, total: 1 }), "incomplete");
  assert.equal(list.seen, "");
  list.merge({ rows: [row(2)], seen: "a:3", whole: true, total: 1 });
  assert.deepEqual([...list.ticked], []);
});

test("every word of the query has to be there", () => {
  const list = listOf(row(1, { status: "failed" }), row(2, { tags: ["Good"] }));
  const found = (query) => {
    list.query = query;
    return list.found().length;
  };
  assert.deepEqual(
    [" ", "attention", "failed nano", "good", "good failed"].map(found),
    [2, 2, 1, 1, 0],
  );
});

test("it is sorted by a column, both ways, what is not known last", () => {
  const list = listOf(row(1), row(2, { eval_after: null }), row(3));
  const order = () => list.found().map(({ created }) => created - 1000);
  assert.deepEqual(order(), [3, 2, 1], "the newest first");
  list.sortBy("eval_after");
  assert.deepEqual(order(), [3, 1, 2]);
  list.sortBy("eval_after");
  assert.deepEqual(order(), [1, 3, 2]);
});

test("the best is the lowest evaluation of completed runs, of the ticked where there are two", () => {
  const list = listOf(row(1), row(2), row(3), row(4, { status: "stopped" }));
  assert.equal(list.best(list.found()), row(3).run);
  list.tick(row(1).run, true);
  assert.equal(list.best(list.found()), row(3).run);
  list.tick(row(2).run, true);
  assert.equal(list.best(list.found()), row(2).run);
  assert.equal(list.best([]), row(2).run);
  assert.equal(listOf(row(1)).best([row(1)]), null);
});

test("what is kept makes the same list again", () => {
  const list = listOf(row(1));
  list.tick(row(1).run, true);
  list.sortBy("loss");
  list.query = "nano";
  list.opened = row(1).run;
  const again = new RunList(JSON.parse(JSON.stringify(list.keep())));
  assert.deepEqual(again.keep(), list.keep());
});

test("the summary counts what is found, shown and ticked", () => {
  const list = listOf(row(1), row(2));
  assert.equal(list.summary(1, 200), "1 of 2 runs");
  list.tick(row(1).run, true);
  assert.equal(list.summary(300, 200), "300 of 2 runs, the first 200 shown, 1 ticked");
  assert.equal(new RunList().summary(0, 200), "");
});
