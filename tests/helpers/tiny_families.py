"""A tiny configuration of nearly every causal language model that transformers names."""

from __future__ import annotations

from typing import Any

from transformers import CONFIG_MAPPING, PreTrainedConfig

VOCABULARY = 260
# By the names that configurations give to the same thing.
_SIZES: dict[str, Any] = {
    **dict.fromkeys(("vocab_size", "vocab_size_per_layer_input"), VOCABULARY),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "dim", "embedding_size", "model_dim"), 32),
    **dict.fromkeys(
        (
            "num_hidden_layers",
            "n_layer",
            "num_layers",
            "n_layers",
            "decoder_layers",
            "encoder_layers",
            "num_decoder_layers",
            "num_encoder_layers",
            "max_layer",
        ),
        4,
    ),
    **dict.fromkeys(
        (
            "num_attention_heads",
            "n_head",
            "num_heads",
            "n_heads",
            "decoder_attention_heads",
            "encoder_attention_heads",
            "num_decoder_attention_heads",
            "num_encoder_attention_heads",
        ),
        4,
    ),
    **dict.fromkeys(
        ("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num"), 2
    ),
    **dict.fromkeys(
        (
            "intermediate_size",
            "d_ff",
            "ffn_dim",
            "n_inner",
            "ffn_hidden_size",
            "decoder_ffn_dim",
            "encoder_ffn_dim",
            "intermediate_size_mlp",
            "shared_intermediate_size",
            "shared_expert_intermediate_size",
            "moe_shared_expert_intermediate_size",
            "dense_intermediate_size",
            "attention_hidden_size",
            "block_ff_dim",
        ),
        64,
    ),
    **dict.fromkeys(
        (
            "moe_intermediate_size",
            "expert_ffn_hidden_size",
            "moe_num_shared_experts_size",
            "moe_ffn_hidden_size",
            "expert_intermediate_size",
        ),
        16,
    ),
    **dict.fromkeys(
        ("head_dim", "attention_head_dim", "kv_channels", "global_head_dim", "d_kv"), 8
    ),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token", "moe_k", "moe_topk"), 2),
    **dict.fromkeys(
        ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length"), 128
    ),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank"), 16),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("state_size", "mamba_d_state", "ssm_state_size"), 8),
    **dict.fromkeys(("linear_num_key_heads", "linear_num_value_heads"), 4),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim"), 8),
    **dict.fromkeys(("n_group", "topk_group", "num_expert_group"), 1),
    "sliding_window": 16,
    "word_embed_proj_dim": 32,
    "hidden_size_per_layer_input": 8,
    "num_kv_shared_layers": 2,
    "lru_width": 32,
    "mamba_expand": 2,
    "mamba_n_heads": 8,
    "mamba_d_head": 8,
    "mamba_num_heads": 8,
    "mamba_head_dim": 8,
    "mamba_d_ssm": 64,
    "rope_parameters_dim": 8,
    "first_k_dense_replace": 1,
    "index_head_dim": 8,
    "index_n_heads": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
# What these sizes need besides, or in their place.
_MORE: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [2]},
    "codegen": {"rotary_dim": 4},
    "dots1": {"n_group": 1, "topk_group": 1, "n_shared_experts": 1, "n_routed_experts": 4},
    "gemma4_text": {"layer_types": ["sliding_attention", "full_attention"] * 2},
    "gpt_neo": {"num_layers": 4, "attention_types": [[["global", "local"], 2]], "window_size": 16},
    "gptj": {"rotary_dim": 4},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv", "full_attention"]},
    "mamba2": {"num_heads": 8, "head_dim": 8, "expand": 2, "n_groups": 2, "chunk_size": 16},
    "mt5": {"decoder_start_token_id": 0},
    "t5": {"decoder_start_token_id": 0},
    "xlm": {"causal": True},
    "xlstm": {"num_heads": 4, "embedding_dim": 32, "chunk_size": 16},
    "zamba": {"num_hidden_layers": 8, "attn_layer_offset": 2, "attn_layer_period": 3},
    "zamba2": {"num_hidden_layers": 4, "layers_block_type": ["mamba", "hybrid"] * 2},
}
# Names that a family derives from others, and refuses or misreads.
_NOT = {"falcon": ("head_dim",), "xlstm": ("v_head_dim", "head_dim"), "mamba2": ("state_size",)}


def tiny_configuration(model_type: str) -> PreTrainedConfig:
    """A configuration of 4 small blocks without dropout, by the names that this family has.

    Raises:
        Exception: whatever the family's configuration raises where these sizes do not suit it.
    """
    made = CONFIG_MAPPING[model_type]
    default = made()
    given = {n: v for n, v in _SIZES.items() if _has(default, n)}
    if "kv_lora_rank" in given:  # latent attention: every head has keys of its own
        given["num_key_value_heads"] = 4
        given.pop("head_dim", None)
    for name in _NOT.get(model_type, ()):
        given.pop(name, None)
    # A name and its alias are one value.
    aliases = made.attribute_map or {}
    given = {n: v for n, v in given.items() if not (n in aliases and aliases[n] in given)}
    given |= {n: 0.0 for n, v in vars(default).items() if "drop" in n and isinstance(v, float)}
    return made(**given | _MORE.get(model_type, {}))


def _has(configuration: PreTrainedConfig, name: str) -> bool:
    try:
        return hasattr(configuration, name)
    except Exception:  # a value that differs by layer refuses to be read
        return False
