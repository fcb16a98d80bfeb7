/* Ticks of a logarithmic axis: as few as there is room for, each with its label. No DOM. */
import { shortCount } from "./format.js";

const MOST = 5;
const LADDERS = [[1, 2, 5], [1, 3], [1]]; // of each decade; then every second one, every third ...

const between = (low, high, digits, every) => {
  const ticks = [];
  const first = every > 1 ? Math.ceil(Math.log10(low)) : Math.floor(Math.log10(low));
  for (let power = first; power <= Math.log10(high); power += 1) {
    if ((power - first) % every) continue;
    for (const digit of digits) ticks.push(Number(`${digit}e${power}`));
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
};

/** plotly's settings of an axis over these positive values: a range with room around them, and at
    most five ticks. Where all values lie between two ticks, the least and the largest are ticks.
    `text` says a tick. */
export const logAxis = (values, text = shortCount) => {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (Math.log10(high / low) || 1) * 0.08;
  const range = [Math.log10(low) - room, Math.log10(high) + room];
  const [from, to] = range.map((power) => 10 ** power);
  let ticks = LADDERS.map((digits) => between(from, to, digits, 1)).find(
    (one) => one.length <= MOST,
  );
  for (let every = 2; !ticks; every += 1) {
    const fewer = between(from, to, [1], every);
    if (fewer.length <= MOST) ticks = fewer;
  }
  if (ticks.length < 2) ticks = text(low) === text(high) ? [low] : [low, high];
  return { type: "log", range, tickmode: "array", tickvals: ticks, ticktext: ticks.map(text) };
};
