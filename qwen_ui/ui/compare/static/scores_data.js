/* Scores of the blocks by every method, as they are shown. No DOM. */

export const TOP = 4; // blocks of a method that are numbered

/** Which tensors count, and what is said of it. */
export const SCORED = { trained: "the attention tensors", all: "all tensors" };

/** The methods with their scores and orders, by the tensors that count (a key of `SCORED`). */
export const methodsOf = (answer, by) =>
  answer.methods.map((method, i) => ({
    ...method,
    scores: answer[by].scores[i],
    order: answer[by].orders[i],
  }));

/** For every block of a method its place, 0 the highest. */
export const placesOf = ({ order }) => {
  const places = new Array(order.length);
  order.forEach((block, place) => {
    places[block] = place;
  });
  return places;
};

/** How dark a cell is, in per cent, by its place: scores of one method compare with no other's. */
export const shadeOfPlace = (place, count) => {
  const strength = count > 1 ? 1 - place / (count - 1) : 1;
  return Math.round(6 + 84 * strength ** 1.6);
};

/** How dark a correlation is, in per cent. */
export const shadeOfAgreement = (value) => Math.round(70 * Math.abs(value));

/** How far the work is: {share (0 to 1), text}. */
export const progressOf = ({ done, total, seconds }) => ({
  share: total ? done / total : 0,
  text: `Scoring the blocks on your data: ${
    total ? `${Math.round((100 * done) / total)} %` : "starting"
  }, ${seconds} s`,
});
