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
_ASSISTANT: dict[str, Any] = {  # reads the keys and values of the model that it assists
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "global_head_dim": 8,
    "sliding_window": 16, "hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 0,
    "num_kv_shared_layers": 4,
}  # fmt: skip
# What these sizes need besides, or in their place.
_SLIDING: dict[str, Any] = {"layer_types": ["sliding_attention", "full_attention"] * 2}
_ROPE: dict[str, Any] = {"rope_type": "default", "rope_theta": 10_000.0}
_MORE: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [2]},
    "codegen": {"rotary_dim": 4},
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10_000.0},
        "ffn_config": {"ffn_hidden_size": 64, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "deepseek_v4": {"max_position_embeddings": 256},  # some parts take 128 tokens at a time
    "dots1": {"n_group": 1, "topk_group": 1, "n_shared_experts": 1, "n_routed_experts": 4},
    "blt": {"encoder_hash_byte_group_vocab": 64},
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": _ROPE, "sliding_attention": _ROPE}, **_SLIDING,
    },
    "gemma4_assistant": {
        "backbone_hidden_size": 32,
        "num_centroids": 4,
        "centroid_intermediate_top_k": 2,
        "text_config": _ASSISTANT | {"model_type": "gemma4_text"},
    },
    "gemma4_text": _SLIDING,
    "gemma4_unified_assistant": {
        "backbone_hidden_size": 32,
        "num_centroids": 4,
        "centroid_intermediate_top_k": 2,
        "text_config": _ASSISTANT | {"model_type": "gemma4_unified_text"},
    },
    "gemma4_unified_text": _SLIDING,
    "gpt_neo": {"num_layers": 4, "attention_types": [[["global", "local"], 2]], "window_size": 16},
    "gptj": {"rotary_dim": 4},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "conv", "full_attention"]},
    "mamba2": {"num_heads": 8, "head_dim": 8, "expand": 2, "n_groups": 2, "chunk_size": 16},
    "longcat_flash": {"head_dim": 8},
    "mt5": {"decoder_start_token_id": 0},
    "phi4_multimodal_audio": {
        "ext_pw_out_channel": 32, "depthwise_separable_out_channel": 32, "nemo_conv_channels": 32,
        "num_blocks": 2,
    },
    "qwen4_exp_text": {
        "indexer_n_heads": 2, "indexer_kv_heads": 1, "indexer_head_dim": 8, "indexer_budget": 16,
        "indexer_compress_ratio": 4, "hc_lowrank": 8, "ngram_vocab_size_base": 64,
        "split_ngram_parts": 4,
    },
    "reformer": {
        "is_decoder": True, "num_buckets": 4, "hidden_size": 32, "axial_pos_shape": (8, 16),
        "axial_pos_embds_dim": (8, 24), "attn_layers": ["local", "lsh"] * 2,
        "attention_head_size": 8, "feed_forward_size": 64,
        "local_attn_chunk_length": 8, "lsh_attn_chunk_length": 8, "axial_pos_embds": False,
    },
    "roc_bert": {
        "shape_vocab_size": 64, "shape_embed_dim": 8, "pronunciation_vocab_size": 64,
        "pronunciation_embed_dim": 8, "is_decoder": True,
    },
    "t5": {"decoder_start_token_id": 0},
    "xlm": {"causal": True},
    "xlstm": {"num_heads": 4, "embedding_dim": 32, "chunk_size": 16},
    "xmod": {"default_language": "en_XX"},
    "zaya": {"num_experts_per_tok": 1, "router_hidden_size": 16},
    "zamba": {"num_hidden_layers": 8, "attn_layer_offset": 2, "attn_layer_period": 3},
    "zamba2": {"num_hidden_layers": 4, "layers_block_type": ["mamba", "hybrid"] * 2},
}  # fmt: skip
# Families whose defaults do not make a configuration.
_DEFAULTS_FAIL = frozenset({"gemma4_assistant"})
# Names that a family derives from others, and refuses or misreads.
_NOT = {
    "falcon": ("head_dim",),
    "xlstm": ("v_head_dim", "head_dim"),
    "mamba2": ("state_size",),
    "prophetnet": ("num_hidden_layers",),
    "xlnet": ("max_position_embeddings",),
}
# Types without a tiny model, and why.
WITHOUT: dict[str, str] = {
    "dots3_note": "its layers' own values stand in a table that sizes alone do not shrink",
    "dots3_note_text": "its layers' own values stand in a table that sizes alone do not shrink",
    "gemma3n": "its image tower needs the timm library",
    "musicgen": "transformers' class reads `dropout` of a configuration that has none",
    "musicgen_melody": "transformers' class reads `dropout` of a configuration that has none",
}


def tiny_configuration(model_type: str) -> PreTrainedConfig:
    """A configuration of 4 small blocks without dropout, by the names that this family has.

    Raises:
        Exception: whatever the family's configuration raises where these sizes do not suit it.
    """
    return CONFIG_MAPPING[model_type](**_values(CONFIG_MAPPING[model_type], model_type))


def _values(made: Any, model_type: str) -> dict[str, Any]:
    """What a configuration of this class is given; its parts (text, images) likewise."""
    more = _MORE.get(model_type, {})
    default = made(**more) if model_type in _DEFAULTS_FAIL else made()
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
    for name in made.sub_configs:
        part = getattr(default, name, None)
        if isinstance(part, PreTrainedConfig) and part.model_type:
            given[name] = {
                "model_type": part.model_type,
                **_values(type(part), part.model_type),
            }
    return given | more


def _has(configuration: PreTrainedConfig, name: str) -> bool:
    try:
        return hasattr(configuration, name)
    except Exception:  # a value that differs by layer refuses to be read
        return False
