"""A configuration's values under the field's common names, whatever its family calls them.

Qwen says `hidden_size`, GPT-2 `n_embd`, BART `d_model`. The aliases are those that transformers'
own `attribute_map`s give for causal language models; what a person reads is the key that stands in
the configuration.
"""

from __future__ import annotations

from typing import Any

_ALIASES: dict[str, tuple[str, ...]] = {
    "hidden_size": ("hidden_size", "n_embd", "d_model", "emb_dim"),
    "num_attention_heads": (
        "num_attention_heads",
        "decoder_attention_heads",
        "n_head",
        "n_heads",
        "num_heads",
        "attention_heads",
    ),
    "num_key_value_heads": ("num_key_value_heads", "num_kv_heads", "n_head_kv"),
    "intermediate_size": (
        "intermediate_size",
        "decoder_ffn_dim",
        "ffn_dim",
        "d_ff",
        "n_inner",
        "ffn_hidden_size",
    ),
    "vocab_size": ("vocab_size", "n_words", "n_token"),
    "max_position_embeddings": (
        "max_position_embeddings",
        "n_positions",
        "context_length",
        "max_seq_len",
    ),
    "hidden_act": ("hidden_act", "hidden_activation", "activation_function", "dense_act_fn"),
    "num_experts": ("num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts"),
    "num_experts_per_tok": (
        "num_experts_per_tok",
        "num_experts_per_token",
        "moe_topk",
        "moe_k",
        "top_k_experts",
    ),
    "num_shared_experts": ("num_shared_experts", "n_shared_experts"),
}
# Where a multimodal or composed model keeps the values of its language model.
_PARTS = ("text_config", "language_config", "llm_config", "thinker_config", "decoder", "generator")


def language_config(config: dict[str, Any]) -> dict[str, Any]:
    """The values of the language model; a wrapper keeps them one or two levels down."""
    for part in _PARTS:
        nested = config.get(part)
        if isinstance(nested, dict) and "model_type" in nested:
            return language_config(nested)
    return config


def config_value(config: dict[str, Any], name: str) -> tuple[str, Any] | None:
    """The key under which a configuration keeps this value, and the value; None if it has none."""
    for key in _ALIASES.get(name, (name,)):
        if config.get(key) is not None:
            return key, config[key]
    return None


def config_int(config: dict[str, Any], name: str) -> int | None:
    """A count or a size; None where the configuration names none."""
    found = config_value(config, name)
    value = found[1] if found else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def config_text(config: dict[str, Any], name: str) -> str:
    """A value that is a word, or ""."""
    found = config_value(config, name)
    return found[1] if found and isinstance(found[1], str) else ""


def head_size(config: dict[str, Any]) -> int | None:
    """Size of one attention head; the width over the heads where none is named."""
    if (named := config_int(config, "head_dim")) is not None:
        return named
    heads, width = config_int(config, "num_attention_heads"), config_int(config, "hidden_size")
    return width // heads if heads and width and width % heads == 0 else None


def key_value_heads(config: dict[str, Any]) -> int | None:
    """How many heads keys and values have; as many as the queries where nothing else is said."""
    if config.get("multi_query") is True and not config.get("new_decoder_architecture"):
        return 1  # Falcon 7B and GPT-BigCode name no number
    return config_int(config, "num_key_value_heads") or config_int(config, "num_attention_heads")
