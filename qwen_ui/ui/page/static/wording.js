/* What of a text is language. Numbers, units, names of tensors and files, and what stands in quotes
   read the same in every language: nobody misses a translation of them. No DOM. */

const SPACES = /[\s\u00a0]+/g;
const QUOTED = /'[^']*'|"[^"]*"|`[^`]*`|“[^”]*”|‘[^’]*’/g;
const WORD = /[A-Za-z][A-Za-z']*/g;
const UNIT = /^(?:[kMGT]?B|[MGTP]?FLOP|[munµ]?s|ms|K|M|T|x)$/;
/* A sentence ends at its full stop, where another one begins behind a space. */
const SENTENCES = /(?<=[.!?…]["')\]]?) (?=["'([]?[A-Z\d`<–-])/;
const HAN = "\\p{Script=Han}";
const FULL_WIDTH = "，。；：！？、（）《》“”…";
const BETWEEN_HAN = new RegExp(`(?<=[${HAN}${FULL_WIDTH}]) (?=[${HAN}${FULL_WIDTH}])`, "gu");
const BESIDE_FULL_WIDTH = new RegExp(`(?<=[，。；：！？、（]) | (?=[，。；：！？、）])`, "gu");
const HAN_LATIN = new RegExp(`(?<=${HAN})(?=[A-Za-z0-9'])|(?<=[A-Za-z0-9%'])(?=${HAN})`, "gu");

/** A text with one space where it had any. */
export const normal = (text) => text.replace(SPACES, " ").trim();

/** The English words of a text, for a search. */
export const wordsOf = (text) => text.match(WORD) ?? [];

/** Its sentences. */
export const sentencesOf = (text) => text.split(SENTENCES);

/* `q_proj`, `model.layers.0`, `Qwen2MLP`, `RMSNorm`, `last:4`, `--layers`, `KL`, a path, a number. */
const isName = (token) => {
  const bare = token.replace(/^[([{<'"“]+|[)\]}>'"”.,:;!?…]+$/g, "");
  if (!/[A-Za-z]{2}/.test(bare)) return true;
  if (UNIT.test(bare)) return true;
  return (
    /[_\d/\\=@#*<>[\]{}|$~]|^--?\w|\w[.:(+]\w|[a-z][A-Z]|^[A-Z]{2,}[a-z]*(?:-[A-Z]+)?$/.test(
      bare,
    ) || /[^\p{ASCII}–—…·×]/u.test(bare)
  );
};

/** Whether there is something to translate. */
export const isLanguage = (text) =>
  !text
    .replace(QUOTED, " ")
    .split(/[\s\u00a0]+|[·×→–—]|(?<=\w),(?=\w)/)
    .every(isName);

/** Chinese as it is set: a space between Han characters and Latin ones, none between Han. */
export const setApart = (text) =>
  text.replace(BETWEEN_HAN, "").replace(BESIDE_FULL_WIDTH, "").replace(HAN_LATIN, " ");
