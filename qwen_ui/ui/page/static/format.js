/* Numbers as people read them. `qwen_ui/formats.py` writes the same texts for the pages and reports
   that Python makes; tests/formats.json holds both to it. */

const MISSING = "–";
const COUNTS = [
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
];
const BYTES = [
  [1e12, "TB"],
  [1e9, "GB"],
  [1e6, "MB"],
  [1e3, "kB"],
];
const FLOPS = [
  [1e15, "PFLOP"],
  [1e12, "TFLOP"],
  [1e9, "GFLOP"],
  [1e6, "MFLOP"],
];
const BEFORE_UNIT =
  /(?<=\d) (?=(?:%|[kMGT]?B|[KMT]|[MGTP]?FLOP|m?s|nats)(?![\p{L}\d_]))|(?<=[\p{L}\d_]) (?=[×±] )|(?<=[×±]) (?=[\p{L}\d_])/gu;
const LEAST_ROUNDED = 100_000; // counts below are short enough to be given in full
const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

const missing = (value) => value === null || value === undefined || Number.isNaN(value);

/* With so many decimals. An exact tie goes to the even digit, as in Python; toFixed takes it up. */
const fixed = (value, decimals) => {
  const up = value.toFixed(decimals);
  const whole = value.toFixed(Math.min(100, decimals + 60));
  const cut = whole.slice(0, whole.length - (Math.min(100, decimals + 60) - decimals));
  const tie = /^50*$/.test(whole.slice(cut.length));
  const kept = cut.replace(/\.$/, "");
  return tie && Number(kept.at(-1)) % 2 === 0 ? kept : up;
};

const magnitude = (value) => Number(value.toExponential().split("e")[1]);

/* So many significant digits, never as a power of ten: 9.996 to three of them is 10.0. */
const significant = (value, digits) => {
  const decimals = (about) => Math.max(0, digits - 1 - magnitude(about));
  const text = fixed(value, decimals(value));
  return Number(text) === 0 ? text : fixed(value, decimals(Number(text)));
};

/* In the largest unit that has a whole part once rounded; null where the smallest has none. */
const inUnits = (value, units) => {
  for (const [size, unit] of units) {
    const text = significant(value / size, 3);
    if (Number(text) >= 1) return `${text} ${unit}`;
  }
  return null;
};

/** All digits, in groups: 1,543,714,304. */
export const exact = (count) => (missing(count) ? MISSING : grouped.format(count));

/** A tensor's sizes: 1,536 × 8,960. */
export const shapeText = (shape) => shape.map(exact).join(" × ");

/** Three significant digits: 1.54 B, 22.0 M, 154 K; below 100,000 all of them: 8,192. */
export const shortCount = (count) => {
  if (missing(count)) return MISSING;
  if (count < LEAST_ROUNDED) return exact(count);
  return inUnits(count, [...COUNTS, [1e3, "K"]]);
};

/** Decimal units, as disks and papers count: 3.09 GB, 16.4 kB. */
export const bytes = (count) =>
  missing(count) ? MISSING : (inUnits(count, BYTES) ?? `${fixed(count, 0)} B`);

/** Floating-point operations: 8.12 TFLOP. */
export const flops = (count) =>
  missing(count) ? MISSING : (inUnits(count, FLOPS) ?? `${fixed(count, 0)} FLOP`);

/** A share of one in per cent: 22.4 %, 0.37 %, 0.00053 %. Only nothing is 0 %, only all 100 %. */
export const percent = (fraction) => {
  if (missing(fraction)) return MISSING;
  if (fraction === 0) return "0 %";
  if (fraction === 1) return "100 %";
  const value = 100 * fraction;
  const text = significant(value, value < 1 ? 2 : 3);
  return fraction < 1 && Number(text) >= 100 ? "99.9 %" : `${text} %`;
};

/** A measured value to so many significant digits: 2.346, 12,350, 1e-5. */
export const rounded = (value, digits = 4) => {
  if (missing(value)) return MISSING;
  const short = Number(value.toPrecision(digits));
  if (Math.abs(short) >= 1e3) return grouped.format(short);
  return short !== 0 && Math.abs(short) < 1e-4 ? short.toExponential() : short.toString();
};

/** A learning rate, as every table, report and chart writes it: 0.001, 0.0125, 2e-5. */
export const rateText = (rate) => rounded(rate, 3);

/** A loss or a divergence in nats, to three decimals: 0.002. */
export const nats = (value) => (missing(value) ? MISSING : value.toFixed(3));

/** A change with its sign: +0.100, −0.520. */
export const signed = (value, decimals = 3) =>
  missing(value) ? MISSING : `${value <= 0 ? "−" : "+"}${Math.abs(value).toFixed(decimals)}`;

/** 45 s, 3 min 05 s, 2 h 07 min. */
export const duration = (seconds) => {
  if (missing(seconds)) return MISSING;
  const whole = Math.round(seconds);
  const two = (part) => String(part).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
};

/** The text without a line's end before a unit, and around × and ±. */
export const unbroken = (text) => text.replace(BEFORE_UNIT, "\u00a0");
