import assert from "node:assert/strict";
import { test } from "node:test";

import { linkTo } from "qwen/runs/about_run.js";
import { Conversation, remarkOf, sideName, tallySentence } from "qwen/runs/conversation.js";
import { elsewhere, standing } from "qwen/runs/take_away.js";

test("each side is told its own answers, and only where turns belong together", () => {
  const talk = new Conversation();
  assert.deepEqual(talk.ask("a", 2, true), [
    [{ role: "user", content: "a" }],
    [{ role: "user", content: "a" }],
  ]);
  talk.take(["x", "y"]);
  const [first, second] = talk.ask("b", 2, true);
  assert.deepEqual(
    first.map(({ content }) => content),
    ["a", "x", "b"],
  );
  assert.deepEqual(
    second.map(({ content }) => content),
    ["a", "y", "b"],
  );
  assert.equal(talk.undo(), "b");
  assert.equal(talk.ask("c", 2, false)[0].length, 1);
});

test("nothing is taken back where nothing was said", () => {
  assert.equal(new Conversation().undo(), "");
});

test("a side is called by its run and its strength", () => {
  const names = new Map([
    ["", "the base"],
    ["r", "mine"],
  ]);
  assert.equal(sideName({ run: "", strength: 1 }, names), "the base");
  assert.equal(sideName({ run: "r", strength: 1 }, names), "mine");
  assert.equal(sideName({ run: "r", strength: 0.25 }, names), "mine at 0.25");
  assert.equal(sideName({ run: "gone", strength: 1 }, names), "gone");
});

test("what is below an answer", () => {
  assert.equal(remarkOf({ tokens: 0, seconds: 0, ended: "" }), "");
  assert.equal(remarkOf({ tokens: 1, seconds: 0.5, ended: "end" }), "1 token · 2.0 per second");
  assert.match(remarkOf({ tokens: 8, seconds: 0, ended: "length" }), /maximum of tokens/);
});

test("votes are told with their interval, and what chance could do", () => {
  const names = ["mine", "the base"];
  assert.match(tallySentence({ wins: [0, 0], neither: 0, interval: null }, names), /No vote/);
  const few = tallySentence({ wins: [2, 1], neither: 1, interval: [0.2, 0.94] }, names);
  assert.match(few, /2 of 3 .*20.0 % to 94.0 %; chance could do this\)\. 1 without/);
  const many = tallySentence({ wins: [30, 3], neither: 0, interval: [0.76, 0.97] }, names);
  assert.doesNotMatch(many, /chance/);
});

test("a link names the run alone", () => {
  assert.equal(linkTo("r-1", "http://h:1/x/?model=m#a"), "http://h:1/x/?run=r-1");
});

test("how an export stands", () => {
  const running = { state: "running", said: "Writing.", output: "", share: 0.5 };
  assert.equal(standing(running), "Writing. 50.0 %");
  assert.equal(standing({ ...running, share: null }), "Writing.");
  assert.equal(standing({ state: "done", said: "", output: "/x" }), "Done: /x.");
  assert.equal(standing({ state: "failed", said: "No.", output: "" }), "No.");
  assert.match(elsewhere("/a b"), /"\/a b" --outfile/);
});
