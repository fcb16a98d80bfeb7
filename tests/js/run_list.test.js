import assert from "node:assert/strict";
import { test } from "node:test";

import { signed } from "qwen/page/format.js";
import { beside, calledBy, COLUMNS, groupText } from "qwen/runs/run_columns.js";
import { filterOf } from "qwen/runs/run_filter.js";
import { RunList } from "qwen/runs/run_list.js";

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

test("a query looks in all columns or in one, and leaves out", () => {
  const record = row(1, { status: "failed", plan: "bitfit", seed: 3, tags: ["Good"], note: "a:b" });
  const found = (query) => filterOf(query)(record);
  for (const query of [
    "",
    "plan:bit",
    "status:FAILED good",
    "-done",
    "seed:3",
    "tag:good",
    "a:b",
  ]) {
    assert.ok(found(query), query);
  }
  for (const query of ["plan:failed", "-failed", "seed:33", "good -bitfit", "run:nothing"]) {
    assert.ok(!found(query), query);
  }
  assert.ok(found("-"), "a dash alone is sought, and stands in the folder's name");
});

test("runs that differ by seed, and members of a comparison, are put together", () => {
  const rows = [
    row(1, { seed: 0, eval_after: 5, learning_rate: 0.1 }),
    row(2, { seed: 1, eval_after: 5.2, learning_rate: 0.1 }),
    row(3, { seed: 0, learning_rate: 0.2 }),
    row(4, { seed: 2, eval_after: 1, learning_rate: 0.1, status: "failed" }),
  ];
  const list = listOf(...rows);
  list.by = "seed";
  const [group, other] = list.groups(rows);
  assert.deepEqual([group.rows.length, other.rows.length, group.seeds], [3, 1, [0, 1, 2]]);
  assert.equal(group.measured.eval_after.mean, 5.1, "of the completed ones alone");
  assert.equal(group.measured.eval_after.spread.toFixed(4), "0.1414");
  assert.equal(group.measured.eval_before.spread, 0);
  const column = (key) => COLUMNS.find((one) => one.key === key);
  assert.equal(groupText(column("eval_after"), group), "5.1 ± 0.14");
  assert.equal(groupText(column("status"), group), "");
  assert.equal(groupText(column("eval_after"), other), "2", "one run has no spread");
  assert.ok(list.takeMembers({ members: { [rows[0].run]: "c1", [rows[2].run]: "c1" } }));
  assert.ok(!list.takeMembers({ members: null, members_seen: "x" }));
  list.by = "comparison";
  assert.deepEqual(
    list.groups(rows).map((one) => [one.rows.length, one.comparison ?? null]),
    [
      [2, "c1"],
      [1, null],
      [1, null],
    ],
  );
});

test("the baseline is overlaid first, and the others are told beside it", () => {
  const list = listOf(row(1), row(2), row(3));
  const [one, two] = [row(1), row(2)];
  assert.deepEqual(list.overlaid, []);
  list.baseline = two.run;
  assert.deepEqual(list.overlaid, [], "a baseline alone is no overlay");
  list.tick(one.run, true);
  assert.deepEqual(list.overlaid, [two.run, one.run]);
  const column = (key) => COLUMNS.find((other) => other.key === key);
  const apart = (key, record) => beside(column(key), record, two);
  assert.equal(apart("eval_after", one), "+1.000");
  assert.equal(apart("eval_after", two), "", "not beside itself");
  assert.equal(apart("eval_after", { ...one, eval_after: two.eval_after + 1e-4 }), "±0");
  assert.equal(apart("forgetting", one), "", "not measured");
  assert.equal(apart("loss", one), "", "another step's loss says nothing");
});

test("columns that a person hides stay away, the name does not", () => {
  const list = listOf(row(1));
  assert.ok(list.columns.every(({ key }) => key !== "loss" && key !== "eval_before"));
  for (const key of ["loss", "eval_before"]) list.showColumn(key, true);
  const all = list.columns.length;
  list.showColumn("seed", false);
  list.showColumn("name", false);
  assert.equal(list.columns.length, all - 1);
  assert.equal(list.choosable.length, all);
  list.showColumn("seed", true);
  assert.equal(list.columns.length, all);
});
