/* Tabs by keys, as the WAI-ARIA pattern has them: one stop a row of tabs, the arrows, Home and End
   within it. gradio's are a stop each and know no arrows. */
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

/**
 * Where a key leads in a row of tabs.
 *
 * @param {string} key
 * @param {number} at the tab that has the focus
 * @param {number} count of tabs
 * @returns {number} a tab, -1 where the key means none
 */
export const tabAfter = (key, at, count) => {
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  return key in STEPS ? (at + STEPS[key] + count) % count : -1;
};

const tabsOf = (list) => [...list.querySelectorAll('[role="tab"]')].filter((tab) => !tab.disabled);

const onKey = (event) => {
  const tab = event.target.closest?.('[role="tablist"] [role="tab"]');
  if (!tab || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const tabs = tabsOf(tab.closest('[role="tablist"]'));
  const to = tabAfter(event.key, tabs.indexOf(tab), tabs.length);
  if (to < 0) return;
  event.preventDefault();
  tabs[to].click();
  tabs[to].focus();
};

const isStop = (tab) => tab.getAttribute("aria-selected") === "true";

/** Listens on the whole page, for every row of tabs that it has or will have. */
export const moveByArrows = () => {
  document.addEventListener("keydown", onKey);
  const mark = () => {
    for (const tab of document.querySelectorAll('[role="tablist"] [role="tab"]')) {
      const index = isStop(tab) ? 0 : -1;
      if (tab.tabIndex !== index) tab.tabIndex = index;
    }
  };
  const watched = { subtree: true, childList: true, attributeFilter: ["aria-selected"] };
  for (const wrapper of document.querySelectorAll(".tab-wrapper")) {
    new MutationObserver(mark).observe(wrapper, watched);
  }
  mark();
};
