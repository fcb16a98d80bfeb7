/* What is asked of Python about the model and the plan: whoever wants something dispatches it, and
   one component (wish_sender.js) sends it. */

/** Ask for a model or a plan: see `Wish` in `page/wishes.py`. */
export const wish = (wanted) =>
  document.dispatchEvent(new CustomEvent("q-wish", { detail: wanted }));
