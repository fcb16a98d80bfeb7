/* Copying, and what the button that asked for it says. */
import { ApiError } from "./api.js";

const SAID_MS = 1200;
const REFUSED =
  "The browser did not let this page copy: it needs your permission, and https or localhost.";
const labels = new WeakMap(); // of the buttons that say "Copied" at present

/** Copy a text; the button says so for a moment. */
export const copyFrom = async (button, text) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch (error) {
    throw new ApiError("clipboard", REFUSED, { cause: error });
  }
  if (!labels.has(button)) labels.set(button, button.textContent);
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = labels.get(button);
  }, SAID_MS);
};
