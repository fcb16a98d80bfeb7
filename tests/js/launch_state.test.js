import assert from "node:assert/strict";
import test from "node:test";
import { DOUBLE_MS, LaunchState, wordsOf } from "../../qwen_ui/ui/page/static/launch_state.js";

const seen = (run, status, more = {}) => ({ run, status, stopping: false, said: "", ...more });

test("a click is answered before anything is known of the run", () => {
  const state = new LaunchState();
  assert.equal(state.name, "idle");
  state.launch(0);
  assert.equal(state.name, "starting");
  // What was shown before goes on being shown for a moment.
  state.saw(seen("", ""));
  assert.equal(state.name, "starting");
  state.saw(seen("a", "queued"));
  assert.equal(state.name, "running");
  state.saw(seen("a", "completed"));
  assert.equal(state.name, "idle");
});

test("a second click stops nothing and launches nothing", () => {
  const state = new LaunchState();
  state.launch(0);
  assert.equal(state.stops(200), false);
  state.saw(seen("a", "running"));
  assert.equal(state.stops(DOUBLE_MS / 2), false);
  assert.equal(state.stops(DOUBLE_MS + 1), true);
  state.saw(seen("a", "running", { stopping: true }));
  assert.equal(state.stops(DOUBLE_MS + 2), false);
  assert.equal(state.name, "stopping");
});

test("what is refused can be launched again", () => {
  const state = new LaunchState();
  state.saw(seen("a", "completed"));
  state.launch(0);
  state.refused();
  assert.equal(state.name, "idle");
});

test("a run that waits is cancelled, one that trains is stopped", () => {
  assert.equal(wordsOf("running", true), "Cancel");
  assert.equal(wordsOf("running"), "Stop");
  assert.equal(wordsOf("idle"), "");
});
