/* Which language the page speaks, decided before anything is drawn: the one that was chosen here, or
   the first of the browser's that there is a dictionary for, or English. `language.js` does the rest.
   gradio takes its own texts' language from `navigator.language`, once: it is told English, and what
   it says is translated like everything else, so that all follow one switch. */
(() => {
  "use strict";
  const offered = JSON.parse(document.getElementById("q-languages").textContent);
  const primary = (tag) => tag.toLowerCase().split("-")[0];
  const find = (wanted) => {
    for (const tag of wanted) {
      if (primary(tag) === "en") return "en";
      const tags = Object.keys(offered);
      const same = tags.find((one) => one.toLowerCase() === tag.toLowerCase());
      const near = same ?? tags.find((one) => primary(one) === primary(tag));
      if (near) return near;
    }
    return "en";
  };
  const chosen = () => {
    try {
      return localStorage.getItem("q-language");
    } catch {
      return null; // a browser that keeps nothing for this page
    }
  };
  const kept = chosen();
  const page = document.documentElement;
  const tag = find(kept ? [kept] : navigator.languages);
  window.qwenLanguage = { tag, offered, dictionary: null };
  // svelte-i18n writes the language that it was told into the page.
  const tell = () => {
    if (page.lang !== window.qwenLanguage.tag) page.lang = window.qwenLanguage.tag;
  };
  tell();
  new MutationObserver(tell).observe(page, { attributeFilter: ["lang"] });
  Object.defineProperty(navigator, "language", { value: "en", configurable: true });
  if (tag === "en") return;
  page.classList.add("q-untranslated"); // nothing is shown in English first; at most a second
  const show = () => page.classList.remove("q-untranslated");
  setTimeout(show, 1000);
  window.qwenLanguage.dictionary = fetch(offered[tag].file).then((answer) => answer.json());
})();
