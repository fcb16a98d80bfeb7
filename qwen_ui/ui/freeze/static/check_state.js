/* The states of a checkbox over several tensors. */

export const OFF = "0";
export const ON = "1";
export const MIXED = "m";
export const NONE = "x"; // no tensor stands here

/** Values of aria-checked; there is none where no tensor stands. */
export const ARIA_CHECKED = { [OFF]: "false", [ON]: "true", [MIXED]: "mixed" };

/** The state where so many of so many train. */
export const checkState = (trained, size) => {
  if (size === 0) return NONE;
  if (trained === 0) return OFF;
  return trained === size ? ON : MIXED;
};
