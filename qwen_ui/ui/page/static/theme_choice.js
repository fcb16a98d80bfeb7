/* The theme that a person chose (switches.js). gradio asks for the system's and is told the choice,
   before it draws anything. */
(() => {
  "use strict";
  const ask = window.matchMedia.bind(window);
  const chosen = () => {
    try {
      return window.localStorage.getItem("qwen-ui-theme");
    } catch {
      return null; // a browser may keep nothing
    }
  };
  window.matchMedia = (query) => {
    const list = ask(query);
    const theme = query === "(prefers-color-scheme: dark)" ? chosen() : null;
    if (theme) Object.defineProperty(list, "matches", { value: theme === "dark" });
    return list;
  };
  // For what is seen before gradio has drawn anything.
  const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.classList.toggle("q-dark", dark);
})();
