/* A model of three blocks with a tied head, as Python gives it to the selector and to the tree. */

const KINDS = [
  ["model.embed_tokens.weight", "embedding", [10, 4]],
  ["self_attn.q_proj.weight", "attention", [4, 4]],
  ["self_attn.q_proj.bias", "attention", [4]],
  ["self_attn.o_proj.weight", "attention", [4, 4]],
  ["mlp.experts.0.up_proj.weight", "expert", [8, 4]],
  ["mlp.experts.1.up_proj.weight", "expert", [8, 4]],
  ["input_layernorm.weight", "norm", [4]],
  ["model.norm.weight", "norm", [4]],
];
const BLOCK = [1, 2, 3, 4, 5, 6]; // the kinds of a block
export const BLOCKS = 3;
export const PER_BLOCK = 16 + 4 + 16 + 32 + 32 + 4;

/* Tensor 0 is the embedding, 1 to 18 the blocks', 19 the last norm. */
export const structureRecord = () => ({
  source: "small",
  stack: "model.layers",
  blocks: BLOCKS,
  total: 40 + BLOCKS * PER_BLOCK + 4,
  kinds: KINDS,
  block: [-1, ...[0, 1, 2].flatMap((block) => BLOCK.map(() => block)), -1],
  kind: [0, ...[0, 1, 2].flatMap(() => BLOCK), 7],
  aliases: [[0, "lm_head.weight"]],
  unreached: "",
});

const ROWS = [
  // depth, type (0 module, 1 tensor, 2 fold), label, name, what, role, count, tied
  [0, 0, "Small", "", "the whole model", "", 60, ""],
  [1, 0, "model", "model", "SmallModel", "", 60, ""],
  [2, 0, "embed_tokens", "model.embed_tokens", "Embedding", "embedding", 40, ""],
  [3, 1, "weight", "model.embed_tokens.weight", "10 × 4", "embedding", 40, ""],
  [2, 0, "layers", "model.layers", "ModuleList", "", 16, ""],
  [3, 2, "0-1", "model.layers.0", "", "", 16, ""],
  [4, 0, "0", "model.layers.0", "Qwen2DecoderLayer", "", 8, ""],
  [5, 0, "q_proj", "model.layers.0.q_proj", "Linear", "attention", 8, ""],
  [6, 1, "weight", "model.layers.0.q_proj.weight", "2 × 3", "attention", 6, ""],
  [6, 1, "bias", "model.layers.0.q_proj.bias", "2", "attention", 2, ""],
  [4, 0, "1", "model.layers.1", "Qwen2DecoderLayer", "", 8, ""],
  [5, 0, "q_proj", "model.layers.1.q_proj", "Linear", "attention", 8, ""],
  [6, 1, "weight", "model.layers.1.q_proj.weight", "2 × 3", "attention", 6, ""],
  [6, 1, "bias", "model.layers.1.q_proj.bias", "2", "attention", 2, ""],
  [2, 0, "norm", "model.norm", "RMSNorm", "norm", 4, ""],
  [3, 1, "weight", "model.norm.weight", "4", "norm", 4, ""],
  [1, 0, "lm_head", "lm_head", "Linear", "head", 40, ""],
  [2, 1, "weight", "lm_head.weight", "10 × 4", "head", 40, "model.embed_tokens.weight"],
];
const COLUMNS = ["depth", "type", "label", "name", "what", "role", "count", "tied"];

export const treeRecord = () => {
  const rows = Object.fromEntries(COLUMNS.map((name, i) => [name, ROWS.map((row) => row[i])]));
  rows.bytes = rows.count.map((count) => 2 * count);
  return { source: "small", stack: "model.layers", blocks: 2, total: 60, bytes: 120, rows };
};
