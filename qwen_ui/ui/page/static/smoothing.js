/* The slider that says how much a loss is smoothed. */
import { make, write } from "./dom.js";

/** `onchange(share)` is called when the slider is let go of; `value` is the share of the past. */
export const smoothingControl = (value, onchange) => {
  const label = make("label");
  const slider = make("input");
  const shown = make("span", "qr-num", value.toFixed(2));
  Object.assign(slider, { type: "range", min: 0, max: 0.99, step: 0.01, value });
  slider.addEventListener("input", () => write(shown, Number(slider.value).toFixed(2)));
  slider.addEventListener("change", () => onchange(Number(slider.value)));
  label.append("Smoothing ", slider, shown);
  return label;
};
