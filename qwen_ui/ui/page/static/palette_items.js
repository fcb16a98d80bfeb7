/* What the palette lists, and what is found in it. No DOM. */

const MOST_SHOWN = 12;
const TABS = ["inspect", "freeze", "train", "runs", "compare"];
const NAMES = {
  inspect: "Inspect",
  freeze: "Freeze",
  train: "Train",
  runs: "Runs",
  compare: "Compare",
};

/** {kind, name, target} of all that can be opened; `found`: what the server lists. */
export const itemsOf = ({ models, presets, saved, runs }) => [
  ...TABS.map((tab) => ({ kind: "tab", name: NAMES[tab], target: tab })),
  ...models.map((model) => ({ kind: "model", name: model, target: model })),
  ...presets.map((preset) => ({ kind: "plan", name: preset, target: preset })),
  ...saved.map((name) => ({ kind: "saved plan", name, target: name })),
  ...runs.map(({ run, title }) => ({ kind: "run", name: title, detail: run, target: run })),
];

/* How well words are found in an item; the smaller the better, null for not at all. */
const rank = ({ kind, name, detail = "" }, words) => {
  const text = name.toLowerCase();
  const all = `${text} ${kind} ${detail.toLowerCase()}`;
  if (!words.every((word) => all.includes(word))) return null;
  if (text.startsWith(words[0] ?? "")) return 0;
  return words.every((word) => text.includes(word)) ? 1 : 2;
};

/** The items that hold every word, the likeliest first. */
export const search = (items, query) => {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return items
    .map((item, place) => ({ item, place, rank: rank(item, words) }))
    .filter((found) => found.rank !== null)
    .sort((a, b) => a.rank - b.rank || a.place - b.place)
    .slice(0, MOST_SHOWN)
    .map(({ item }) => item);
};
