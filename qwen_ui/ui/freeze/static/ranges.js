/* A selection as text, in ranges of the tensors' numbers: `0-3,8`. Python reads and writes the same
   (selector_data.py). */

/** States (1 trains, 0 is frozen) from their ranges. */
export const readRanges = (ranges, length) => {
  const states = new Uint8Array(length);
  for (const run of ranges ? ranges.split(",") : []) {
    const [start, end = start] = run.split("-").map(Number);
    states.fill(1, start, end + 1);
  }
  return states;
};

/** The ranges of the states that are 1; empty where none is. */
export const writeRanges = (states) => {
  const runs = [];
  for (let t = 0; t < states.length; t++) {
    if (!states[t]) continue;
    const start = t;
    while (states[t + 1]) t++;
    runs.push(start === t ? `${t}` : `${start}-${t}`);
  }
  return runs.join(",");
};
