/* The states of a checkbox over several tensors. */

export const OFF = "0";
export const ON = "1";
export const MIXED = "m";
export const NONE = "x"; // no tensor stands here

/** Values of aria-checked; there is none where no tensor stands. */
export const ARIA_CHECKED = { [OFF]: "false", [ON]: "true", [MIXED]: "mixed" };

/** The state where `trained` of `size` tensors train and text cannot reach `unreached` of them. */
export const checkState = (trained, size, unreached) => {
  if (size === 0) return NONE;
  if (trained === 0) return OFF;
  return trained === size - unreached ? ON : MIXED;
};
