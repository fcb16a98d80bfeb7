/* What a person gives the page in place of a model's name: a configuration, or weights, of which the
   header alone is read. No DOM. */

const MOST_CONFIG = 1024 * 1024; // characters
const MOST_HEADER = 32 * 1024 * 1024; // bytes; the largest sharded models have less than 4 MiB
const MOST_TENSORS = 50_000;
const WEIGHTS = ".safetensors";

/** Whether pasted text is a configuration and no name. */
export const isConfiguration = (text) => text.trimStart().startsWith("{");

/** What to ask for a file: {wanted} or {wrong}, a sentence. `file`: a File, or what has its `name`,
    `size`, `text()` and `slice()`. */
export const wishOf = async (file) => {
  if (file.name.endsWith(WEIGHTS)) return ofWeights(file);
  if (file.size > MOST_CONFIG) {
    return { wrong: `'${file.name}' is too large for a config.json. Drop that, or weights.` };
  }
  const text = await file.text();
  if (isConfiguration(text)) return { wanted: { config: text, file: file.name } };
  return { wrong: `'${file.name}' is no config.json and no safetensors file.` };
};

const ofWeights = async (file) => {
  const wrong = `'${file.name}' is no safetensors file: its header cannot be read.`;
  if (file.size < 8) return { wrong };
  const length = await file.slice(0, 8).arrayBuffer();
  const size = Number(new DataView(length).getBigUint64(0, true));
  if (size > MOST_HEADER || size + 8 > file.size) return { wrong };
  let header;
  try {
    header = JSON.parse(await file.slice(8, 8 + size).text());
  } catch {
    return { wrong };
  }
  const named = Object.entries(header).filter(([name]) => name !== "__metadata__");
  if (!named.length || named.length > MOST_TENSORS) return { wrong };
  if (!named.every(([, tensor]) => Array.isArray(tensor?.shape))) return { wrong };
  const tensors = Object.fromEntries(named.map(([name, { shape }]) => [name, shape]));
  return { wanted: { tensors, file: file.name } };
};
