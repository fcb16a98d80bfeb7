/* What runs that lie over each other are called: by what sets them apart. No DOM. */

/* What people tell runs by, first; then whatever else differs, in the server's order. */
const FIRST = ["plan.name", "model", "data", "learning_rate", "steps", "batch_size", "seed"];
const BARE = new Set(["plan.name", "model", "data"]); // the value says what it is
const PATHS = new Set(["model", "data", "keep", "eval_data"]);
const MOST_SAID = 3;

const AUTOMATIC = "–"; // what the server writes where a run has no such setting

const said = ({ setting, values }, row) => {
  const value = PATHS.has(setting) ? values[row].split("/").at(-1) : values[row];
  if (value === AUTOMATIC) return "";
  return BARE.has(setting) ? value : `${setting.replaceAll("_", " ")} ${value}`;
};

const different = (names) => new Set(names).size;

/* The fewest settings, by their order, that set the most runs apart. */
const chosenOf = (runs, rows) => {
  let chosen = [];
  const apart = (settings) =>
    different(runs.map((_, row) => JSON.stringify(settings.map(({ values }) => values[row]))));
  for (const one of rows) {
    if (chosen.length === MOST_SAID || apart(chosen) === runs.length) break;
    if (apart([...chosen, one]) > apart(chosen)) chosen = [...chosen, one];
  }
  // What a later one says as well need not be said.
  for (const one of [...chosen].reverse()) {
    const others = chosen.filter((other) => other !== one);
    if (others.length && apart(others) === apart(chosen)) chosen = others;
  }
  return chosen;
};

/**
 * Names that differ where the runs differ: "bitfit on last:4, seed 1".
 * @param runs [{run, name, own}]: `own` where a person gave the name, which then stays.
 * @param rows of the server's differences: [{setting, values}], values in the runs' order.
 */
export const tellingNames = (runs, rows) => {
  if (runs.length < 2) return runs.map(({ name }) => name);
  const place = ({ setting }) => {
    const at = FIRST.indexOf(setting);
    return at < 0 ? FIRST.length : at;
  };
  const told = rows.filter(({ setting }) => !setting.startsWith("plan.rule"));
  const chosen = chosenOf(
    runs,
    told.toSorted((a, b) => place(a) - place(b)),
  );
  const found = runs.map(({ name, own }, row) => {
    const parts = chosen.map((one) => said(one, row)).filter(Boolean);
    return own || !parts.length ? name : parts.join(", ");
  });
  // Two runs that are set apart by nothing that is said keep the end of their folders' names.
  return found.map((name, row) =>
    found.filter((other) => other === name).length > 1
      ? `${name} · ${runs[row].run.split("-").at(-1)}`
      : name,
  );
};
