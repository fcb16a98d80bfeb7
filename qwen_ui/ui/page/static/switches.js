/* What is chosen of the page itself, at the header's end: its theme. */
import { put } from "./dom.js";
import { onTheme } from "./plotly.js";
import { pressByKey } from "./primary_key.js";
import { moveByArrows } from "./tab_keys.js";

const KEPT = "qwen-ui-theme"; // theme_choice.js reads it when the page is opened

const isDark = () => document.body.classList.contains("dark");
/* Asked in words that theme_choice.js leaves alone. */
const systemIsDark = () => !window.matchMedia("(prefers-color-scheme: light)").matches;

/* Who chooses what the system has follows the system again. */
const choose = (dark) => {
  document.body.classList.toggle("dark", dark);
  try {
    if (dark === systemIsDark()) window.localStorage.removeItem(KEPT);
    else window.localStorage.setItem(KEPT, dark ? "dark" : "light");
  } catch {
    // a browser that keeps nothing: until the page is opened again
  }
};

export const mount = ({ element }) => {
  const theme = element.querySelector(".q-theme");
  const show = () => put(theme, "aria-pressed", String(isDark()));
  theme.addEventListener("click", () => choose(!isDark()));
  onTheme(show);
  show();
  moveByArrows();
  pressByKey();
  // Written anew whenever the plan changes, on whichever tab: read out when it does.
  document.getElementById("q-summary").ariaLive = "polite";
};
