"""What a linear map is for, by the name that its family gives it and the part that it stands in."""

from __future__ import annotations

from typing import Any

from qwen_ui.model.anatomy import Module, Role
from qwen_ui.model.config_values import config_int, key_value_heads

_QUERY = "The query projection: what each position looks for"
_KEY = "The key projection: what each position offers to be found by"
_VALUE = "The value projection: what each position passes on when it is attended to"
_FUSED = "The fused query, key and value projection: a name takes all three of them"
_OUT = "The output projection: the heads' results, mixed back into the residual stream"
_GATE = "The gate of the MLP: its activation decides how much of each inner value passes"
_UP = "The MLP's way up, into its inner width"
_DOWN = "The MLP's way down, back into the residual stream"
_GATE_UP = "Gate and way up of the MLP in one matrix"

_ATTENTION = {
    **dict.fromkeys(("q_proj", "query", "q", "wq", "q_lin", "to_q"), _QUERY),
    **dict.fromkeys(("k_proj", "key", "k", "wk", "k_lin", "to_k"), _KEY),
    **dict.fromkeys(("v_proj", "value", "v", "wv", "v_lin", "to_v"), _VALUE),
    **dict.fromkeys(("qkv_proj", "query_key_value", "c_attn", "Wqkv", "W_pack", "qkv"), _FUSED),
    **dict.fromkeys(("o_proj", "out_proj", "dense", "c_proj", "wo", "o", "out_lin"), _OUT),
    "q_a_proj": "The latent query compression",
    "q_b_proj": "Queries for all heads, out of the latent",
    "kv_a_proj_with_mqa": "The latent key-value compression, with the rotary part of the key",
    "kv_b_proj": "Keys and values for all heads, out of the latent",
    "g_proj": "The gate of the attention: how much of each head's result passes",
    "in_proj_qkvz": "Query, key, value and output gate of the linear attention in one matrix",
    "in_proj_qkv": "Query, key and value of the linear attention in one matrix",
    "in_proj_ba": "How strongly the state is corrected (b) and how fast it forgets (a)",
}
_MLP = {
    **dict.fromkeys(("gate_proj", "w1", "gate"), _GATE),
    **dict.fromkeys(("up_proj", "w3", "fc1", "c_fc", "fc_in", "dense_h_to_4h", "lin1", "wi"), _UP),
    **dict.fromkeys(
        ("down_proj", "w2", "fc2", "c_proj", "fc_out", "dense_4h_to_h", "lin2", "wo"), _DOWN
    ),
    **dict.fromkeys(("gate_up_proj", "wi_fused", "Wi"), _GATE_UP),
}
_MIXER = {
    "in_proj": "The way in of the mixer: its input and its gate in one matrix",
    "x_proj": "What the input decides: time step, B and C of each position",
    "dt_proj": "The time step of each channel, out of its low-rank form",
    "out_proj": "The way out of the mixer, back into the residual stream",
}


def projection_purpose(module: Module, config: dict[str, Any]) -> str:
    """A phrase on what a linear map does; "A linear map" where nothing tells."""
    leaf = module.name.rpartition(".")[2]
    if module.role is Role.ATTENTION and leaf == "c_attn" and _is_cross(module):
        return "The fused key and value projection of the encoder's positions"
    tables = {Role.ATTENTION: _ATTENTION, Role.MLP: _MLP, Role.EXPERT: _MLP, Role.OTHER: _MIXER}
    found = tables.get(module.role, {}).get(leaf)
    if found is None:
        return "A linear map"
    shared = _sharing(config) if found in (_KEY, _VALUE) else ""
    return found + shared


def _is_cross(module: Module) -> bool:
    return "crossattention" in module.name


def _sharing(config: dict[str, Any]) -> str:
    """Why keys and values are smaller than queries, where they are."""
    heads, groups = config_int(config, "num_attention_heads"), key_value_heads(config)
    if not heads or not groups or groups >= heads or config.get("kv_lora_rank"):
        return ""
    return f"; each of its {groups} heads serves {heads // groups} query heads"
