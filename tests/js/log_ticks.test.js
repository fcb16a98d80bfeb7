import assert from "node:assert/strict";
import { test } from "node:test";
import { rateText } from "qwen/page/format.js";
import { logAxis } from "qwen/page/log_ticks.js";

const labels = (values, text) => logAxis(values, text).ticktext;

test("a narrow span has ticks within its decades", () => {
  assert.deepEqual(labels([0.01, 0.04], rateText), ["0.01", "0.02"]);
  assert.deepEqual(labels([1024, 197632]), ["1,000", "10,000", "100 K"]);
});

test("a wide span has a tick every so many decades, five at most", () => {
  assert.deepEqual(labels([1, 1e9]), ["1", "100", "10,000", "1.00 M", "100 M"]);
});

test("values between two ticks are ticks themselves", () => {
  assert.deepEqual(labels([3.1, 4.1], rateText), ["3.1", "4.1"]);
  assert.deepEqual(labels([8192, 8192]), ["8,192"]);
  assert.deepEqual(labels([7000, 7000]), ["7,000"]);
});

test("no label is the same as another, for any values", () => {
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let turn = 0; turn < 500; turn += 1) {
    const low = 10 ** (random() * 8 - 6);
    const values = [low, low * 10 ** (random() * 9)];
    const { tickvals, ticktext, range } = logAxis(values, rateText);
    assert.ok(ticktext.length >= 1 && ticktext.length <= 5, String(values));
    assert.equal(new Set(ticktext).size, ticktext.length, String(values));
    for (const tick of [...tickvals, ...values]) {
      assert.ok(Math.log10(tick) >= range[0] && Math.log10(tick) <= range[1], String(values));
    }
  }
});
