import assert from "node:assert/strict";
import { test } from "node:test";

import { MIXED, NONE, OFF, ON } from "qwen/freeze/check_state.js";
import { readRanges } from "qwen/freeze/ranges.js";
import { Selection } from "qwen/freeze/selection.js";
import { Structure } from "qwen/freeze/structure.js";
import { PER_BLOCK, structureRecord } from "./small_model.js";

const EDITS = 25;
const SIZE = 60;

const selectionOf = (onChange = () => {}) =>
  new Selection(new Structure(structureRecord()), onChange);

/* Numbers that look random and are the same in every run. */
const randomFrom = (seed) => (limit) => {
  seed = (seed * 48271) % 2147483647;
  return seed % limit;
};

test("a checkbox over several tensors is on, off or mixed", () => {
  const selection = selectionOf();
  assert.equal(selection.stateOf([1, 2]), OFF);
  selection.toggle([1]);
  assert.equal(selection.stateOf([1, 2]), MIXED);
  selection.toggle([1, 2]); // mixed becomes on
  assert.equal(selection.stateOf([1, 2]), ON);
  selection.toggle([1, 2]);
  assert.equal(selection.stateOf([1, 2]), OFF);
  assert.equal(selection.stateOf([]), NONE);
  assert.equal(selection.stateOf(undefined), NONE);
});

test("what trains is counted, a tied tensor once", () => {
  const selection = selectionOf();
  selection.set([0, 0, 8], 1);
  assert.equal(selection.trained, 44);
  assert.equal(selection.tensors, 2);
  assert.equal(selection.trainedOf([0, 1]), 40);
});

test("what text cannot reach is neither ticked nor counted, before Python has answered", () => {
  const record = { ...structureRecord(), unreached: "0,13-18" }; // the embedding and the last block
  const selection = new Selection(new Structure(record), () => {});
  const { everything, cells, rows, firstBlockRow } = selection.structure;
  const last = rows[firstBlockRow + 2].tensors;
  selection.toggle(everything);
  assert.equal(selection.stateOf(everything), ON);
  assert.equal(selection.tensors, 13);
  assert.equal(selection.trained, 2 * PER_BLOCK + 4);
  assert.equal(selection.trainedOf(last), 0);
  assert.equal(selection.ranges(), "1-12,19");
  assert.equal(selection.stateOf([12, 13]), ON);
  assert.equal(selection.stateOf(last), OFF);
  assert.ok(selection.structure.isUnreached(cells[firstBlockRow + 2][0]));
  assert.ok(!selection.structure.isUnreached(everything));
  selection.toggle(last);
  assert.equal(selection.tensors, 13);
  selection.toggle(everything);
  assert.equal(selection.trained, 0);
});

test("a drag is one edit, told while it goes on and when it is done", () => {
  const told = [];
  const selection = selectionOf((done) => told.push(done));
  selection.begin();
  selection.paint([1], 1);
  selection.paint([1], 1); // nothing new
  selection.paint([2], 1);
  assert.ok(selection.commit());
  assert.deepEqual(told, [false, false, true]);
  selection.undo();
  assert.equal(selection.ranges(), "");
});

test("a drag that ends as it began is no edit", () => {
  const selection = selectionOf();
  selection.begin();
  selection.paint([1], 1);
  selection.paint([1], 0);
  assert.ok(!selection.commit());
  assert.deepEqual(selection.history.past, []);
});

test("nothing is undone in the middle of a drag", () => {
  const selection = selectionOf();
  selection.set([1], 1);
  selection.begin();
  selection.undo();
  assert.equal(selection.ranges(), "1");
});

test("an edit takes the plan's name away, undo brings it back", () => {
  const selection = selectionOf();
  selection.replace(readRanges("1-3", 20), "attention");
  selection.toggle([9]);
  assert.equal(selection.name, "");
  selection.undo();
  assert.equal(selection.name, "attention");
});

test("undo leaves what Python said, where it is remembered", () => {
  const selection = selectionOf();
  selection.adopt(readRanges("1", 20), "first", false);
  selection.undo();
  assert.equal(selection.ranges(), "1");
  selection.adopt(readRanges("2", 20), "second", true);
  selection.undo();
  assert.equal(selection.ranges(), "1");
});

test("what is painted is watched until it is not", () => {
  const selection = selectionOf();
  const edits = selection.watch();
  selection.toggle([4]);
  selection.unwatch(edits);
  selection.toggle([5]);
  assert.deepEqual([...edits], [[4, 1]]);
});

/* The hand paints 1 and 2 while Python answers the question for a preset (tensors 10 to 12). */
test("an edit that was answered late is undone after those made meanwhile", () => {
  const selection = selectionOf();
  selection.toggle([0]);
  const asked = selection.history.past.length;
  selection.toggle([1]);
  selection.toggle([2]);
  const apply = () => readRanges("10-12", 20);
  const states = apply();
  states[1] = states[2] = 1;
  selection.replace(states, "");
  selection.history.moveLastTo(asked, apply, "preset");
  const seen = [selection.ranges()];
  for (let step = 0; step < 4; step++) {
    selection.undo();
    seen.push(selection.ranges());
  }
  assert.deepEqual(seen, ["1-2,10-12", "1,10-12", "10-12", "0", ""]);
  for (const ranges of seen.slice(0, 4).reverse()) {
    selection.redo();
    assert.equal(selection.ranges(), ranges);
  }
});

const randomEdit = (selection, random) => {
  const some = Array.from({ length: 1 + random(9) }, () => random(SIZE));
  if (random(4) === 0) {
    selection.replace(readRanges(`${random(20)}-${20 + random(40)}`, SIZE), "");
  } else if (random(3) === 0) {
    selection.begin();
    for (let stroke = 0; stroke < 5; stroke++) selection.paint([random(SIZE)], stroke % 2);
    selection.commit();
  } else selection.toggle(some);
};

test("undo and redo restore every state of random edits", () => {
  const random = randomFrom(7);
  const numel = Float64Array.from({ length: SIZE }, (_, i) => i + 1);
  for (let round = 0; round < 300; round++) {
    const unreached = new Uint8Array(SIZE);
    const selection = new Selection({ length: SIZE, numel, unreached }, () => {});
    const seen = [selection.ranges()];
    for (let edit = 0; edit < EDITS; edit++) {
      const before = selection.history.past.length;
      randomEdit(selection, random);
      if (selection.history.past.length > before) seen.push(selection.ranges());
      const sum = numel.reduce((all, size, t) => all + (selection.states[t] ? size : 0), 0);
      assert.equal(selection.trained, sum);
      assert.deepEqual(readRanges(selection.ranges(), SIZE), selection.states);
    }
    for (const ranges of seen.slice(0, -1).reverse()) {
      selection.undo();
      assert.equal(selection.ranges(), ranges);
    }
    selection.undo(); // there is nothing before
    for (const ranges of seen.slice(1)) {
      selection.redo();
      assert.equal(selection.ranges(), ranges);
    }
  }
});
