/* The pictures of a live grid as numbers a cell. No DOM. */

export const FIGURES = { ratio: "Update-to-weight ratio", gradient: "Gradient norm" };
const PLACES = { ratio: 1, gradient: 2 };

/** Columns inside the blocks, those outside, and how many blocks there are. */
export const structureOf = (kinds) => ({
  inside: kinds.filter(([, , blocks]) => blocks.length),
  outside: kinds.filter(([, , blocks]) => !blocks.length),
  blocks: 1 + Math.max(-1, ...kinds.flatMap(([, , blocks]) => blocks)),
});

/** One figure of a picture: a function of (kind's label, block or null). What is in no row is
    frozen, and moves by exactly 0. */
export const valuesOf = ({ rows }, figure) => {
  const found = new Map();
  for (const [label, cells] of rows) {
    for (const cell of cells) found.set(`${label} ${cell[0]}`, cell[PLACES[figure]]);
  }
  return (label, block) => {
    const value = found.get(`${label} ${block}`);
    return value === undefined ? 0 : value;
  };
};

/** All numbers of a figure in all pictures that are not 0: one scale for all of them. */
export const allOf = (pictures, figure) =>
  pictures.flatMap(({ rows }) =>
    rows.flatMap(([, cells]) => cells.map((cell) => cell[PLACES[figure]]).filter(Boolean)),
  );

/** The pictures with new ones: after a resume those that were sent before are gone. */
export const joined = (pictures, { again, pictures: added }) =>
  again ? added : [...pictures, ...added];
