import assert from "node:assert/strict";
import { test } from "node:test";

import { Api, ApiError, isRefusal, messageOf } from "qwen/page/api.js";

test("an answer is handed on, and the argument with it", async () => {
  const api = new Api({ poll: async (asked) => ({ asked }) });
  assert.deepEqual(await api.call("poll", { run: "a" }), { asked: { run: "a" } });
});

test("an error in the answer is thrown with its kind and message", async () => {
  const api = new Api({ poll: async () => ({ error: { kind: "RunError", message: "No run." } }) });
  await assert.rejects(
    api.call("poll"),
    (error) =>
      error instanceof ApiError && error.kind === "RunError" && error.message === "No run.",
  );
});

test("a rejected request, and none answered, is an error of the network", async () => {
  const failed = new TypeError("failed to fetch");
  const api = new Api({ rejects: () => Promise.reject(failed), nothing: async () => undefined });
  await assert.rejects(api.call("rejects"), { kind: "network", cause: failed });
  await assert.rejects(api.call("nothing"), { kind: "network", message: /does not answer/ });
});

test("a function that the server does not have is a fault of the page", async () => {
  await assert.rejects(new Api({}).call("gone"), TypeError);
});

test("a person is told the server's words; the page's own faults go to the console", () => {
  assert.equal(messageOf(new ApiError("RunError", "No run.")), "No run.");
  const reported = [];
  globalThis.reportError = (error) => reported.push(error);
  try {
    assert.match(messageOf(new TypeError("x is undefined")), /Internal error/);
  } finally {
    delete globalThis.reportError;
  }
  assert.equal(reported.length, 1);
});

test("a refusal is an answer: the network and internal errors are none", () => {
  const kinds = ["RunError", "RequestError", "network", "InternalError"];
  const refusals = kinds.map((kind) => isRefusal(new ApiError(kind, "")));
  assert.deepEqual(refusals, [true, true, false, false]);
  assert.equal(isRefusal(new TypeError("x")), false);
});
