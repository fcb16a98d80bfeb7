/* What a dial measured, for the eye: points, labels, the two lines of its picture. No DOM. */
export const WIDTH = 420;
export const HEIGHT = 150;
const MARGIN = { left: 8, right: 76, top: 12, bottom: 22 };

/** Nats per token: equal decimals, so that columns can be compared. */
export const nats = (value) => value.toFixed(3);
const signed = (value) => (value > 0 ? `+${nats(value)}` : nats(value));

/** The points whose losses are numbers, by strength. */
export const usable = (points) => points.filter(({ eval_loss: loss }) => loss !== null);

/** Where the slider stands at first: at the suggestion, else as trained, else at the last point. */
export const firstIndex = (points, suggested) => {
  const wanted = suggested === null || suggested === undefined ? 1 : suggested;
  const found = points.findIndex(({ strength }) => strength === wanted);
  return found < 0 ? points.length - 1 : found;
};

/** The figures of a point: [label, value] each. */
export const figures = (point) => {
  const list = [
    ["Loss on held-out data", nats(point.eval_loss)],
    ["Gain", signed(point.gain)],
  ];
  if (point.keep_loss !== null) {
    list.push(
      ["Loss on the text to keep", nats(point.keep_loss)],
      ["Forgets", signed(point.forgetting)],
      ["KL from the base", nats(point.kl)],
    );
  }
  return list;
};

/** The lines of the picture, {name, points: [[x, y]...]}, in its own units, and where 0 lies. */
export const picture = (points) => {
  const names = points.some(({ forgetting }) => forgetting !== null)
    ? ["gain", "forgetting"]
    : ["gain"];
  const values = points.flatMap((point) => names.map((name) => point[name])).concat(0);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const last = points.at(-1).strength || 1;
  const x = (strength) => MARGIN.left + (strength / last) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value) =>
    MARGIN.top + ((high - value) / (high - low || 1)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  return {
    zero: y(0),
    x,
    lines: names.map((name) => ({
      name,
      points: points.map((point) => [x(point.strength), y(point[name])]),
    })),
  };
};

/** The command that writes a whole model at this strength. */
export const applyCommand = (run, model, strength) =>
  `python -m qwen_ui apply ${run} --base ${JSON.stringify(model)} --strength ${strength} -o FOLDER`;

/** How strongly a token is shaded, in per cent: 3 nats and more are full. */
export const shadeOf = (change) => Math.round(70 * Math.min(1, Math.abs(change) / 3));

/** What is told above the tokens. */
export const summaryOf = (changes, percent) => {
  const said =
    `The model would have written ${percent(changes.token_accuracy_after)} of the held-out ` +
    `tokens, the base ${percent(changes.token_accuracy_before)}.`;
  if (!changes.answers) return said;
  return (
    `${said} Answers word for word: ${changes.exact_after} of ${changes.answers}, the base's ` +
    `${changes.exact_before}.`
  );
};
