import assert from "node:assert/strict";
import { test } from "node:test";

import { axisOf, LinkedCharts, rangeOf } from "qwen/page/linked_charts.js";
import { ZoomDetail } from "qwen/page/zoom_detail.js";

class FakeChart {
  constructor() {
    this.handlers = {};
    this.plot = { on: (name, handler) => (this.handlers[name] = handler) };
    this.zooms = [];
    this.points = [];
  }

  /* As plotly: a chart that is moved tells of it. */
  zoom(range, own) {
    this.zooms.push([range, own]);
    this.handlers.plotly_relayout(range ? { "xaxis.range": range } : { "xaxis.autorange": true });
  }

  point(x) {
    this.points.push(x);
  }
}

test("plotly tells of a zoom in three ways, and of other things", () => {
  assert.deepEqual(rangeOf({ "xaxis.range[0]": 1, "xaxis.range[1]": 5 }), [1, 5]);
  assert.deepEqual(rangeOf({ "xaxis.range": ["1", "5"] }), [1, 5]);
  assert.equal(rangeOf({ "xaxis.autorange": true, "yaxis.autorange": true }), null);
  assert.equal(rangeOf({ "yaxis.range[0]": 1 }), undefined);
  assert.deepEqual(axisOf([2, 6], true), { range: [2, 6], autorange: false, tick0: 0, dtick: 1 });
  assert.deepEqual(axisOf([2, 6], false), { range: [2, 6], autorange: false });
  assert.deepEqual(axisOf(null, true), {});
});

test("a zoom of one is a zoom of all, told once", () => {
  const told = [];
  const linked = new LinkedCharts((range) => told.push(range));
  const charts = [new FakeChart(), new FakeChart(), new FakeChart()];
  for (const chart of charts) linked.add(chart);
  charts[1].handlers.plotly_relayout({ "xaxis.range[0]": 3, "xaxis.range[1]": 9 });
  assert.deepEqual(told, [[3, 9]]);
  assert.deepEqual(
    charts.map(({ zooms }) => zooms),
    [[[[3, 9], false]], [[[3, 9], true]], [[[3, 9], false]]],
  );
  charts[0].handlers.plotly_relayout({ "yaxis.range[0]": 1 });
  charts[0].handlers.plotly_relayout({ "xaxis.autorange": true });
  assert.deepEqual(told, [[3, 9], null]);
  assert.equal(linked.range, null);
});

test("the pointer stands in the other charts, and leaves them", () => {
  const linked = new LinkedCharts(() => {});
  const charts = [new FakeChart(), new FakeChart()];
  for (const chart of charts) linked.add(chart);
  charts[0].handlers.plotly_hover({ points: [{ x: 7 }] });
  charts[0].handlers.plotly_unhover();
  assert.deepEqual(
    charts.map(({ points }) => points),
    [[], [7, null]],
  );
});

const detailOf = (answers) => {
  const seen = { asked: [], shown: [], restored: 0 };
  const clock = { set: (callback) => (seen.due = callback), clear: () => (seen.due = null) };
  const detail = new ZoomDetail({
    ask: (range) => {
      seen.asked.push(range);
      return answers.shift();
    },
    show: (answer) => seen.shown.push(answer),
    restore: () => (seen.restored += 1),
    clock,
  });
  return { detail, seen };
};

test("the part that is zoomed to is fetched, the last of several at once", async () => {
  const { detail, seen } = detailOf([Promise.resolve("part")]);
  detail.to([1, 5]);
  detail.to([2, 5]);
  await seen.due();
  assert.deepEqual([seen.asked, seen.shown], [[[2, 5]], ["part"]]);
  detail.to(null);
  assert.equal(seen.restored, 1);
  detail.to(null);
  assert.equal(seen.restored, 1, "the whole is there already");
});

test("an answer that comes after another zoom is dropped", async () => {
  let arrive;
  const { detail, seen } = detailOf([new Promise((resolve) => (arrive = resolve))]);
  detail.to([1, 5]);
  const asked = seen.due();
  detail.to(null);
  arrive("late");
  await asked;
  assert.deepEqual([seen.shown, seen.restored], [[], 0]);
});

test("what was replaced by the whole is fetched again where it is zoomed", async () => {
  const { detail, seen } = detailOf([Promise.resolve("a"), Promise.resolve("b")]);
  detail.again();
  assert.equal(seen.due, undefined, "nothing is zoomed");
  detail.to([1, 5]);
  await seen.due();
  detail.again();
  await seen.due();
  assert.deepEqual(seen.shown, ["a", "b"]);
  detail.forget();
  detail.again();
  assert.equal(seen.due, null);
});
