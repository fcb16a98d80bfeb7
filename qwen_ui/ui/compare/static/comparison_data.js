/* What is shown of a comparison, from the server's answer (`compare_view.py`). No DOM. */
import { bytes, exact, nats, percent, rateText, rounded, signed } from "qwen/page/format.js";

const lossAfter = ({ after, spread, runs }) =>
  after.toFixed(3) + (runs > 1 ? ` ± ${spread.toFixed(3)}` : "");

const forgets = ({ forgetting, forgetting_spread: spread, runs }) =>
  signed(forgetting) + (runs > 1 ? ` ± ${spread.toFixed(3)}` : "");

/** Whether a plan was measured on a text to keep. */
export const isKept = (row) => typeof row.forgetting === "number";

const KEPT = [
  [
    "forgets",
    (r) => (isKept(r) ? forgets(r) : ""),
    "By how much the loss on the text to keep rose (nats per token)",
  ],
  [
    "KL",
    (r) => (isKept(r) ? nats(r.kl) : ""),
    "KL(base || tuned) per token of the text to keep (nats)",
  ],
];

const COLUMNS = [
  [
    "plan",
    (r) => r.plan,
    "A larger dot in the right chart: no plan with as few parameters is better",
  ],
  ["trainable", (r) => exact(r.trainable)],
  ["share", (r) => percent(r.share)],
  ["rate", (r) => rateText(r.learning_rate)],
  ["before", (r) => r.before.toFixed(3)],
  ["after", lossAfter],
  ["perplexity", (r) => rounded(r.perplexity)],
  ["seconds", (r) => r.seconds.toFixed(1)],
  [
    "rate found in",
    (r) => (r.rate_seconds ? `${r.rate_seconds.toFixed(1)} s` : ""),
    "Seconds of the short runs that found the plan's learning rate, once for all seeds",
  ],
  ["tokens/s", (r) => exact(r.tokens_per_second)],
  ["memory", (r) => bytes(r.peak_bytes)],
  ["delta", (r) => bytes(r.delta_bytes)],
  ["nats/M", (r) => rounded(r.gain_per_million, 3), "Nats gained per million parameters"],
  ["nats/s", (r) => rounded(r.gain_per_second, 3), "Nats gained per second of training"],
];

/** Title, text(row) and words for the title's tip; what was forgotten only where it was measured. */
export const columnsOf = (rows) => {
  if (!rows.some(isKept)) return COLUMNS;
  const at = COLUMNS.findIndex(([title]) => title === "after") + 1;
  return [...COLUMNS.slice(0, at), ...KEPT, ...COLUMNS.slice(at)];
};

/** Whether every run is over and completed. */
export const isDone = ({ over, runs }) => over && runs.every((run) => run.status === "completed");

const OVER = ["completed", "stopped", "failed", "interrupted", "damaged"];
const isOver = ({ status }) => OVER.includes(status);

/** How far a comparison is: "2 of 6 are over; BitFit, seed 1: Training, 12 / 60". */
export const progressOf = ({ searches, runs }) => {
  const all = [...searches, ...runs];
  const over = all.filter(isOver).length;
  const search = searches.find(({ status }) => status === "running");
  const run = runs.find(({ status }) => status === "running");
  const now = run ? runInWords(run) : search ? searchInWords(search) : "";
  const done =
    all.length === 1 ? `${over} of 1 run is over` : `${over} of ${all.length} runs are over`;
  return now ? `${done}; ${now}` : done;
};

/** The verdict, said to be one so far until it is final, with the model that ran; or when it is to
    be expected. */
export const verdictOf = ({ over, rows, verdict, model, runs }) => {
  if (over) return `On ${model}: ${verdict}`;
  if (rows.length < 2) return "Running: the verdict comes once two plans have a completed run.";
  const done = runs.filter(isOver).length;
  return `So far, on ${model}, with ${done} of ${runs.length} runs over: ${verdict}`;
};

/** The verdict in a few words, while it is not final said to be one so far. */
export const headlineOf = ({ over, headline }) =>
  over || !headline || headline.startsWith("So far") ? headline : `So far: ${headline}`;

/** A run in a few words: "BitFit, seed 0: 12 / 200". */
export const runInWords = ({ plan, seed, status, step, steps }) =>
  `${plan}, seed ${seed}: ${status === "running" ? `${step} / ${steps}` : status}`;

/** A search for a rate in a few words: "BitFit: finding its rate, 2 tried". */
export const searchInWords = ({ plan, status, trials }) =>
  `${plan}: ${status === "running" ? `finding its rate, ${trials.length} tried` : `rate ${status}`}`;

/** The reasons of the runs and searches that failed. */
export const failuresOf = ({ runs, searches }) => {
  const all = [
    ...searches.map((search) => ({ ...search, what: `${search.plan}, finding its rate` })),
    ...runs.map((run) => ({ ...run, what: `${run.plan}, seed ${run.seed}` })),
  ];
  return all
    .filter(({ status, reason }) => status === "failed" && reason)
    .map(({ what, reason }) => `${what}: ${reason}`);
};

/** The plan with the lowest loss after training; null where there is none. */
export const bestPlan = (rows) =>
  rows.length ? rows.reduce((a, b) => (b.after < a.after ? b : a)).plan : null;

/** The learning rates by where they come from, in the parts that each are a text of its own:
    [source, [[plan, rate], ...]]. */
export const ratesBySource = (rows) => {
  const plansOf = new Map();
  for (const { plan, learning_rate: rate, rate_source: source } of rows) {
    plansOf.set(source, [...(plansOf.get(source) ?? []), [plan, rateText(rate)]]);
  }
  return [...plansOf];
};

const trace = ({ plan, seed, lines }, key, style) =>
  lines[key] && {
    type: "scatter",
    mode: "lines",
    x: lines[key][0],
    y: lines[key][1],
    name: `${plan}, seed ${seed}`,
    hovertemplate: "%{y:.4f}",
    ...style,
  };

/** plotly's traces of the loss over training; `paint(plan)` is a plan's colour. */
export const curves = (runs, paint) =>
  runs
    .flatMap((run) => {
      const color = paint(run.plan);
      const marker = { size: 6 };
      return [
        trace(run, "smooth", { line: { color, width: 1 }, opacity: 0.6 }),
        trace(run, "eval", { mode: "lines+markers", marker, line: { color, width: 2.2 } }),
      ];
    })
    .filter(Boolean);

/** plotly's traces of what was gained against what was forgotten; [] where nothing tells it. */
export const keptFront = (rows, paint) => {
  if (!rows.some((row) => row.kept_front)) return [];
  const most = Math.max(...rows.map((row) => row.forgetting));
  const middle = (most + Math.min(...rows.map((row) => row.forgetting))) / 2;
  return rows.map((row) => ({
    type: "scatter",
    mode: "markers+text",
    x: [row.forgetting],
    y: [row.gain],
    error_x: { array: [row.forgetting_spread], visible: row.runs > 1 },
    error_y: { array: [row.spread], visible: row.runs > 1 },
    text: [` ${row.plan} `],
    cliponaxis: false,
    textposition: row.forgetting > middle ? "middle left" : "middle right",
    marker: { size: row.kept_front ? 12 : 8, color: paint(row.plan) },
    hovertemplate: "forgets %{x:.4f}, gains %{y:.4f} nats<extra></extra>",
  }));
};

/** plotly's traces of loss against trainable parameters; names stand where there is room. */
export const front = (rows, paint) => {
  const counts = rows.map((row) => row.trainable);
  const middle = Math.sqrt(Math.min(...counts) * Math.max(...counts));
  return rows.map((row) => ({
    type: "scatter",
    mode: "markers+text",
    x: [row.trainable],
    y: [row.after],
    error_y: { array: [row.spread], visible: row.runs > 1 },
    text: [` ${row.plan} `],
    cliponaxis: false,
    textposition: row.trainable > middle ? "middle left" : "middle right",
    marker: { size: row.front ? 12 : 8, color: paint(row.plan) },
    hovertemplate: "%{x:,} parameters, %{y:.4f} nats<extra></extra>",
  }));
};
