/* Ctrl+Enter presses the one primary button of the tab that is shown: launch, compare. */

const isShown = (node) => node.offsetParent !== null;

const onKey = (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return;
  if (event.repeat) return; // one press, one launch
  const primary = [...document.querySelectorAll(".tabitem button.primary")].find(isShown);
  if (!primary || primary.disabled) return;
  event.preventDefault();
  primary.click();
};

export const pressByKey = () => document.addEventListener("keydown", onKey);
