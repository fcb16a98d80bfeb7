/* The main tabs: which one is open, and opening one. */
import { TABS } from "./place.js";

const buttonOf = (tab) => document.getElementById(`q-tab-${tab}-button`);

/** The tab that is open. */
export const openedTab = () =>
  TABS.find((tab) => buttonOf(tab)?.getAttribute("aria-selected") === "true") ?? TABS[0];

/** Open a tab, as a click on it does. */
export const openTab = (tab) => {
  if (openedTab() !== tab) buttonOf(tab)?.click();
};

/** Open the tab that an address names, as soon as the page has tabs. */
export const openNamed = (tab) => {
  if (tab === TABS[0]) return;
  const open = () => {
    if (buttonOf(tab)) openTab(tab);
    return openedTab() === tab;
  };
  if (open()) return;
  const waiting = new MutationObserver(() => open() && waiting.disconnect());
  waiting.observe(document.body, { subtree: true, childList: true });
};

const LOOK_MS = 50,
  PATIENCE_MS = 10_000;

/** An element, once it is on the screen; null where it does not come. */
export const whenShown = async (selector, isReady = () => true) => {
  for (let waited = 0; waited < PATIENCE_MS; waited += LOOK_MS) {
    const node = document.querySelector(selector);
    if (node?.offsetParent && isReady(node)) return node;
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
  return null;
};

/** Call when another tab is opened, however that is done. */
export const onTab = (callback) => {
  let last = openedTab();
  const look = () => {
    const tab = openedTab();
    if (tab !== last) callback((last = tab));
  };
  // Of the whole page: a script may ask before the tabs are there.
  new MutationObserver(look).observe(document.body, {
    subtree: true,
    attributes: true,
    attributeFilter: ["aria-selected"],
  });
};
