/** Width of a bar in per cent. On the logarithmic scale a thousandth of a per cent can be seen. */
export const barWidth = (part, all, scale) => {
  if (!part || !all) return 0;
  if (scale === "linear") return (100 * part) / all;
  return (100 * Math.log10(1 + part)) / Math.log10(1 + all);
};

/** Sets a `.qs-meter`: how much there is, and how much of it trains. */
export const setMeter = (meter, part, all, largest, scale) => {
  meter.style.setProperty("--all", `${barWidth(all, largest, scale).toFixed(3)}%`);
  meter.style.setProperty("--part", `${barWidth(part, largest, scale).toFixed(3)}%`);
};
