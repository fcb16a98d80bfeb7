/* What is said of a run, from the server's answers (`run_view.py`). No DOM. */
import { duration, exact, rounded, signed } from "./format.js";

const SILENT_SECONDS = 60;
const GOING_ON = ["queued", "running"];
const BAD = ["failed", "interrupted", "damaged"];
const TITLES = {
  queued: "Queued",
  starting: "Starting",
  running: "Training",
  stopping: "Stopping",
  tokenizing: "Tokenizing",
  loading: "Loading weights",
  proving: "Proving shortcuts",
  prefix: "Computing the prefix",
  before: "Measuring before",
  training: "Training",
  measuring: "Measuring",
  after: "Measuring after",
  sampling: "Sampling",
  saving: "Saving",
  completed: "Completed",
  stopped: "Stopped",
  failed: "Failed",
  interrupted: "Interrupted",
  damaged: "Damaged",
};

export const isOver = ({ status }) => !GOING_ON.includes(status);
export const isBad = ({ status }) => BAD.includes(status);

/* What each phase does, in a sentence; with how far it is where that is counted. */
const PHASES = {
  tokenizing: "The data are read and made into tokens.",
  loading: "The weights are loaded.",
  proving: "The shortcuts are proven on the first batch.",
  prefix: "The outputs of the frozen blocks are computed.",
  before: "The model is measured before training.",
  measuring: "The model is measured.",
  after: "The model is measured after training.",
  sampling: "Text is sampled.",
  saving: "The result is saved.",
};

/** A status, or what a running one does: a phase, "stopping" or "starting". */
export const phaseOf = ({ status, stopping, step }, { start, phase } = {}) => {
  if (status !== "running") return status;
  if (stopping) return "stopping";
  if (phase) return phase.phase;
  return step || start ? status : "starting";
};

const isTraining = (phase) => phase === "running" || phase === "training";

/** How far a run is, 0 to 1: of its steps, or before the first one of the phase under way. */
export const shareOf = ({ status, step, steps }, { phase }) => {
  if (status === "running" && !step && phase?.total) return Math.min(1, phase.done / phase.total);
  return steps ? Math.min(1, step / steps) : 0;
};

const aboutLeft = ({ remaining }) =>
  remaining === null || remaining === undefined ? "" : `about ${duration(remaining)} left`;

/** What a run does, in a line: "Measuring before, 40 %, about 12 s left". */
export const saidInBar = (answer, known) => {
  if (answer.status === "queued") return waitingFor(answer.place);
  if (answer.status !== "running") return "";
  const phase = phaseOf(answer, known);
  if (phase === "stopping") return reasonOf(answer, phase);
  const far = isTraining(phase) ? stepsOf(answer) : shareInWords(known.phase);
  return [titleOf(phase), far, aboutLeft(answer)].filter(Boolean).join(", ");
};

const stepsOf = ({ step, steps }) => `step ${exact(step)} of ${exact(steps)}`;

const shareInWords = (phase) => {
  if (!phase?.total) return "";
  return phase.phase === "prefix"
    ? `${exact(phase.done)} of ${exact(phase.total)}`
    : `${Math.floor((100 * phase.done) / phase.total)} %`;
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
export const reasonOf = (answer, phase, heard = {}) => {
  if (phase === "stopping") return "Stopping: the run saves its state first.";
  if (answer.status === "running" && answer.heartbeat_age > SILENT_SECONDS) {
    const silence = duration(answer.heartbeat_age);
    return `No update for ${silence}: a long step, or a worker that hangs.`;
  }
  if (answer.reason) return answer.reason;
  if (phase === "starting") return "The worker loads the model and prepares the data.";
  if (phase in PHASES) return [PHASES[phase], shareInWords(heard.phase)].filter(Boolean).join(" ");
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
