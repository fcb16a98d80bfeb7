import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applyCommand,
  figures,
  firstIndex,
  picture,
  shadeOf,
  summaryOf,
  usable,
} from "../../qwen_ui/ui/runs/static/dial_data.js";

const point = (strength, gain, forgetting = null) => ({
  strength,
  gain,
  forgetting,
  eval_loss: 5 - gain,
  keep_loss: forgetting === null ? null : 3 + forgetting,
  kl: forgetting === null ? null : forgetting / 2,
});

test("what is no number is left out", () => {
  const broken = { ...point(2, 0), eval_loss: null };
  assert.deepEqual(usable([point(1, 0.5), broken]), [point(1, 0.5)]);
});

test("the slider begins at the suggestion, else as trained, else at the end", () => {
  const points = [point(0, 0), point(1, 0.5), point(1.25, 0.4)];
  assert.equal(firstIndex(points, 0), 0);
  assert.equal(firstIndex(points, null), 1);
  assert.equal(firstIndex(points.slice(0, 1), undefined), 0);
});

test("what was not measured is not shown", () => {
  assert.deepEqual(
    figures(point(1, 0.5)).map(([name]) => name),
    ["Loss on held-out data", "Gain"],
  );
  const [, , , forgets, kl] = figures(point(1, 0.5, 0.25));
  assert.deepEqual(forgets, ["Forgets", "+0.250"]);
  assert.deepEqual(kl, ["KL from the base", "0.125"]);
});

test("the picture has higher values further up, and 0 within it", () => {
  const { zero, lines, x } = picture([point(0, 0, 0), point(1, 0.5, 0.25), point(2, -0.5, 1)]);
  assert.deepEqual(
    lines.map(({ name }) => name),
    ["gain", "forgetting"],
  );
  const [gain, forgetting] = lines.map(({ points }) => points.map(([, y]) => y));
  assert.ok(gain[1] < zero && gain[2] > zero && forgetting[2] < gain[1]);
  assert.equal(gain[0], zero);
  assert.ok(x(2) > x(1));
  assert.equal(picture([point(0, 0)]).lines.length, 1);
});

test("the command quotes the model", () => {
  assert.equal(
    applyCommand("r", 'a "b"', 0.5),
    'python -m qwen_ui apply r --base "a \\"b\\"" --strength 0.5 -o FOLDER',
  );
});

test("three nats are the full shade, up or down", () => {
  assert.deepEqual([0, 1.5, 3, -9].map(shadeOf), [0, 35, 70, 70]);
});

test("answers are told where there are any", () => {
  const percent = (share) => `${100 * share} %`;
  const changes = { token_accuracy_before: 0.25, token_accuracy_after: 0.5, answers: 0 };
  assert.equal(
    summaryOf(changes, percent),
    "The model would have written 50 % of the held-out tokens, the base 25 %.",
  );
  const answered = { ...changes, answers: 4, exact_before: 0, exact_after: 3 };
  assert.match(summaryOf(answered, percent), /Answers word for word: 3 of 4, the base's 0\.$/);
});
