/* Where a person is on the page, as its address says: tab, model, plan, and what the tab shows. No
   DOM. */

export const TABS = ["inspect", "freeze", "train", "runs", "compare"];
/* What is in the address beside tab, model and plan: on which tab. */
const SHOWN = { inspect: "module", train: "run", runs: "run", compare: "comparison" };
const LONGEST = 2000; // characters of a value that is taken from an address

/** The place that an address names, of `?tab=…&model=…`; what it does not name is "". */
export const placeOf = (search) => {
  const asked = new URLSearchParams(search);
  const read = (name) => {
    const value = asked.get(name) ?? "";
    return value.length <= LONGEST ? value : "";
  };
  const [run, comparison, module] = ["run", "comparison", "module"].map(read);
  const named = read("tab");
  const meant = run ? "runs" : comparison ? "compare" : "inspect";
  const tab = TABS.includes(named) ? named : meant;
  return { tab, model: read("model"), plan: read("plan"), run, comparison, module };
};

/** The address of a place, from "?" on. `usual`: the model and the plan that a page opens with. */
export const searchOf = (place, usual = {}) => {
  const said = new URLSearchParams();
  if (place.tab !== "inspect") said.set("tab", place.tab);
  for (const name of ["model", "plan"]) {
    if (place[name] && place[name] !== usual[name]) said.set(name, place[name]);
  }
  const shown = SHOWN[place.tab];
  if (shown && place[shown]) said.set(shown, place[shown]);
  const text = said.toString();
  return text ? `?${text}` : "";
};

/** Whether two places have the same address. */
export const isSame = (a, b, usual) => searchOf(a, usual) === searchOf(b, usual);
