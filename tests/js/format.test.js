import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as format from "qwen/page/format.js";

const TABLE = JSON.parse(readFileSync(new URL("../formats.json", import.meta.url), "utf-8"));
const NAMES = {
  exact: "exact",
  short_count: "shortCount",
  bytes: "bytes",
  flops: "flops",
  percent: "percent",
  duration: "duration",
  rounded: "rounded",
  rate: "rateText",
};

for (const [key, name] of Object.entries({ ...NAMES, unbroken: "unbroken" })) {
  test(`${name} gives the texts of the table that Python is held to as well`, () => {
    const found = TABLE[key].map(([value]) => [value, format[name](value)]);
    assert.deepEqual(found, TABLE[key]);
  });
}

test("what is not known is a dash", () => {
  for (const name of Object.values(NAMES)) {
    assert.deepEqual(
      [null, undefined, NaN].map((value) => format[name](value)),
      ["–", "–", "–"],
    );
  }
});

test("a share just below one is never all", () => {
  for (let power = 1; power < 16; power++) {
    assert.notEqual(format.percent(1 - 10 ** -power), "100 %");
  }
});

test("a measured value has four significant digits, groups, and a power where it is tiny", () => {
  const found = [2.34567, 0, -1.5, 12345.6, 0.00001, 0.0012345].map((value) =>
    format.rounded(value),
  );
  assert.deepEqual(found, ["2.346", "0", "-1.5", "12,350", "1e-5", "0.001234"]);
  assert.equal(format.rounded(1.2345, 2), "1.2");
});
