/* What is said of a run, from the server's answers (`run_view.py`). No DOM. */
import { duration, exact, rounded, signed } from "./format.js";

const SILENT_SECONDS = 60;
const GOING_ON = ["queued", "running"];
const BAD = ["failed", "interrupted", "damaged"];
const TITLES = {
  queued: "Queued",
  starting: "Starting",
  running: "Training",
  saving: "Stopping",
  completed: "Completed",
  stopped: "Stopped",
  failed: "Failed",
  interrupted: "Interrupted",
  damaged: "Damaged",
};

export const isOver = ({ status }) => !GOING_ON.includes(status);
export const isBad = ({ status }) => BAD.includes(status);

/** A status, or what a running one does: "saving" or "starting". `start` is its start event. */
export const phaseOf = ({ status, stopping, step }, start) => {
  if (status !== "running") return status;
  if (stopping) return "saving";
  return step || start ? status : "starting";
};

export const titleOf = (phase) => TITLES[phase] || phase;

const known = (value, text) => (value === null || value === undefined ? null : text(value));

/** What a run computes on: what it was given (GPUs, a job of Slurm's), else what its worker found. */
const deviceOf = ({ on }, start) =>
  on?.length ? on.join("; ") : start && (start.device_name || start.device);

/** [value, label] of each figure that is known. */
export const factsOf = (answer, { start, epoch }) => {
  const { step, steps, elapsed } = answer;
  const share = steps ? ` (${Math.floor((100 * step) / steps)} %)` : "";
  return [
    [`${exact(step)} of ${exact(steps)}${share}`, "steps"],
    [known(epoch, (value) => rounded(value, 3)), "epoch"],
    [elapsed ? duration(elapsed) : null, "elapsed"],
    [isOver(answer) ? null : known(answer.remaining, duration), "remaining"],
    [known(answer.seconds_per_step, (seconds) => rounded(1 / seconds, 3)), "steps per second"],
    [known(answer.tokens_per_second, exact), "tokens per second"],
    [deviceOf(answer, start), "device"],
  ].filter(([value]) => value);
};

const waitingFor = (place) => {
  if (!place) return "";
  if (!place.running.length && !place.before) return "The worker is being started.";
  const busy = place.running.length ? `${place.running.join(", ")} is using the device. ` : "";
  return place.before
    ? `${busy}Number ${place.before + 1} in the queue.`
    : `${busy}This run is next.`;
};

/** The sentence below the progress bar: why a run ended, or what it waits for. */
export const reasonOf = (answer, phase) => {
  if (phase === "saving") return "Stopping: the run saves its state first.";
  if (phase === "running" && answer.heartbeat_age > SILENT_SECONDS) {
    const silence = duration(answer.heartbeat_age);
    return `No update for ${silence}: a long step, or a worker that hangs.`;
  }
  if (answer.reason) return answer.reason;
  if (phase === "starting") return "The worker loads the model and prepares the data.";
  return phase === "queued" ? waitingFor(answer.place) : "";
};

/** Suggested changes of settings in words: "batch size 32, dtype bfloat16"; "" for none. */
export const changesInWords = (changes) =>
  Object.entries(changes ?? {})
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${value}`)
    .join(", ");

/** How the evaluation loss changed over a run; null where it was not measured at both ends. */
export const outcomeOf = (end) => {
  const [before, after] = [end?.eval_loss_before, end?.eval_loss_after];
  if (typeof before !== "number" || typeof after !== "number") return null;
  return { before: before.toFixed(3), after: after.toFixed(3), change: signed(after - before) };
};

const give = (error) => (typeof error === "number" ? ` ± ${error.toFixed(3)}` : "");

/** What a run lost of its text to keep; null where it had none. */
export const keptOf = (end) => {
  const [before, after, kl] = [end?.keep_loss_before, end?.keep_loss_after, end?.kl];
  if ([before, after, kl].some((value) => typeof value !== "number")) return null;
  return {
    before: before.toFixed(3),
    after: after.toFixed(3),
    change: signed(after - before) + give(end.keep_error),
    kl: kl.toFixed(3) + give(end.kl_error),
  };
};
