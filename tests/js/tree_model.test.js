import assert from "node:assert/strict";
import { test } from "node:test";

import { treeAction } from "qwen/page/tree_keys.js";
import { TreeModel } from "qwen/page/tree_model.js";

/*  0            0
    1 a          1
    2   a.x      2
    3   a.y      2
    4     a.y.z  3
    5 b          1
    6   b.x      2   */
const tree = (...open) => {
  const model = new TreeModel([0, 1, 2, 2, 3, 1, 2]);
  for (const row of open) model.setOpen(row, true);
  return model;
};

test("rows know their parent and the end of what is below them", () => {
  const { parent, end } = tree();
  assert.deepEqual([...parent], [-1, 0, 1, 1, 3, 0, 5]);
  assert.deepEqual([...end], [7, 5, 3, 5, 5, 7, 7]);
  assert.deepEqual(
    [1, 2, 6].map((row) => tree().hasChildren(row)),
    [true, false, false],
  );
});

test("what is below a closed row is hidden, however it was left", () => {
  const model = tree(0, 1, 3);
  assert.deepEqual(model.visible, [0, 1, 2, 3, 4, 5]);
  model.setOpen(1, false);
  assert.deepEqual(model.visible, [0, 1, 5]);
  assert.deepEqual([...model.place], [0, 1, -1, -1, -1, 2, -1]);
  model.setOpen(1, true);
  assert.deepEqual(model.visible, [0, 1, 2, 3, 4, 5]);
});

test("all are opened and closed, the root stays open", () => {
  const model = tree();
  model.openAll(true);
  assert.equal(model.visible.length, 7);
  model.openAll(false);
  assert.deepEqual(model.visible, [0, 1, 5]);
});

test("a row's path and its siblings are opened", () => {
  const model = tree();
  model.openPath(4);
  assert.deepEqual(model.visible, [0, 1, 2, 3, 4, 5]);
  const other = tree(0);
  other.openSiblings(5);
  assert.deepEqual(other.visible, [0, 1, 2, 3, 5, 6]);
  other.openSiblings(0);
  assert.ok(other.isOpen(0));
});

test("visible rows count their siblings from one", () => {
  const model = tree(0, 1);
  assert.deepEqual(
    [1, 5].map((row) => model.position[row]),
    [1, 2],
  );
  assert.equal(model.siblingsOf(5), 2);
  assert.equal(model.siblingsOf(0), 1);
});

test("a filter shows matches and what leads to them, and leaves what was open", () => {
  const model = tree(0, 5);
  assert.equal(
    model.filter((row) => row === 4),
    1,
  );
  assert.deepEqual(model.visible, [0, 1, 3, 4]);
  assert.ok(model.isMatch(4));
  assert.ok(!model.isMatch(3));
  assert.equal(model.siblingsOf(1), 1);
  model.setOpen(1, false);
  assert.deepEqual(model.visible, [0, 1]);
  model.clearFilter();
  assert.deepEqual(model.visible, [0, 1, 5, 6]);
  assert.ok(!model.isMatch(4));
});

test("a filter that finds nothing shows nothing", () => {
  const model = tree(0);
  assert.equal(
    model.filter(() => false),
    0,
  );
  assert.deepEqual(model.visible, []);
});

test("arrows, Home, End and pages move among the visible rows", () => {
  const model = tree(0, 1);
  const lead = {
    0: { ArrowUp: 0, ArrowDown: 1, End: 5, PageDown: 2 },
    5: { ArrowDown: 5, Home: 0 },
  };
  for (const [row, keys] of Object.entries(lead)) {
    for (const [key, to] of Object.entries(keys)) {
      assert.deepEqual(treeAction(key, model, Number(row), 2), { to }, `${key} at ${row}`);
    }
  }
  assert.deepEqual(treeAction("PageUp", model, 5, 2), { to: 2 });
});

test("Right opens, then enters; Left closes, then leaves", () => {
  const model = tree(0);
  assert.deepEqual(treeAction("ArrowRight", model, 1, 1), { open: 1 });
  model.setOpen(1, true);
  assert.deepEqual(treeAction("ArrowRight", model, 1, 1), { to: 2 });
  assert.deepEqual(treeAction("ArrowRight", model, 2, 1), {});
  assert.deepEqual(treeAction("ArrowLeft", model, 2, 1), { to: 1 });
  assert.deepEqual(treeAction("ArrowLeft", model, 1, 1), { close: 1 });
  model.openAll(false);
  model.setOpen(0, false);
  assert.deepEqual(treeAction("ArrowLeft", model, 0, 1), {});
});

test("an open row with nothing to show below it stays", () => {
  const model = tree(0);
  model.filter((row) => row === 5);
  model.setOpen(5, true);
  assert.deepEqual(treeAction("ArrowRight", model, 5, 1), { to: 5 });
});

test("other keys are no keys of trees", () => {
  assert.deepEqual(treeAction("*", tree(), 1, 1), { openSiblings: 1 });
  for (const key of ["a", "Enter", " ", "Tab", "toString"]) {
    assert.equal(treeAction(key, tree(), 0, 1), null, key);
  }
});
