"""Modules that mix the positions of a sequence: attention, and what stands in its place."""

from __future__ import annotations

import re
from typing import Any

from qwen_ui.model.anatomy import Anatomy, Module
from qwen_ui.model.config_values import config_int, key_value_heads
from qwen_ui.model.explain.explanation import Explanation, child_names


def attention(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    below = child_names(anatomy, module)
    crossed = re.search(r"cross|encoder_attn|EncDec", f"{module.class_name} {module.name}")
    source = "the encoder's positions" if crossed else "the ones before it"
    if re.search(r"vision|audio|image|encoder\.", module.name) and module.block is None:
        return Explanation(
            f"Attention: each position gathers from all others; in {_tower(module)}."
        )
    return Explanation(
        f"Attention: each position gathers from {source}; {_heads(config, below)}"
        f"{_reach(anatomy, module, config)}.",
        "softmax(Q Kᵀ / √d + mask) V",
        (
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "rope_theta",
            "sliding_window",
            "attention_dropout",
            "kv_lora_rank",
            "q_lora_rank",
        ),
    )


def _heads(config: dict[str, Any], below: list[str]) -> str:
    heads, groups = config_int(config, "num_attention_heads"), key_value_heads(config)
    if config.get("kv_lora_rank") and "kv_a" in " ".join(below):
        return "latent: keys and values come out of one small vector per position"
    if heads and groups and groups < heads:
        many = f"{heads} query heads share {groups} key-value head{'s' if groups > 1 else ''}"
        return f"{'multi-query' if groups == 1 else 'grouped-query'}: {many}"
    if heads:
        return f"multi-head: {heads} heads, each with keys and values of its own"
    return "how many heads, the configuration does not say"


def _reach(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> str:
    """How far back it looks, where the configuration gives this block a window."""
    if module.block is None:
        return ""
    layer_type = anatomy.layer_type(f"{anatomy.stack}.{module.block}")
    window = config_int(config, "sliding_window") or config_int(config, "attention_chunk_size")
    if layer_type in ("sliding_attention", "chunked_attention") and window:
        return f"; it looks back {window:,} positions at most ({layer_type})"
    return "; it looks back over the whole context" if layer_type == "full_attention" else ""


def _tower(module: Module) -> str:
    """The first part of a module's path that says what it reads."""
    parts = module.name.split(".")
    return next((p for p in parts if re.search(r"vision|audio|image|encoder", p)), parts[0])


def recurrent_mixer(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    """A state of fixed size instead of a look back at every position."""
    keys = (
        "state_size", "mamba_d_state", "conv_kernel", "mamba_d_conv", "time_step_rank",
        "linear_num_key_heads", "linear_key_head_dim", "linear_num_value_heads",
        "linear_value_head_dim", "linear_conv_kernel_dim",
    )  # fmt: skip
    for pattern, sentence, formula in _MIXERS:
        if pattern.search(module.class_name):
            return Explanation(sentence, formula, keys)
    return Explanation(
        "A recurrent mixer: it carries a state of fixed size along the sequence instead of looking "
        "back at every position.",
        "stateₜ = update(stateₜ₋₁, xₜ),  yₜ = read(stateₜ)",
        keys,
    )


_MIXERS = (
    (
        re.compile(r"GatedDelta"),
        "Linear attention by the gated delta rule: a state of fixed size forgets (α) and corrects "
        "one key's value (β) at each position (arXiv 2412.06464).",
        "Sₜ = αₜ Sₜ₋₁ (I − βₜ kₜ kₜᵀ) + βₜ vₜ kₜᵀ,  yₜ = Sₜ qₜ",
    ),
    (
        re.compile(r"Mamba"),
        "A selective state-space mixer: a state of fixed size is carried along the sequence, and "
        "the input itself decides what is kept (arXiv 2312.00752).",
        "hₜ = exp(Δₜ A) hₜ₋₁ + Δₜ Bₜ xₜ,  yₜ = Cₜ hₜ + D xₜ",
    ),
    (
        re.compile(r"RG?LRU|Recurrent"),
        "A gated linear recurrence: each channel carries one number along the sequence "
        "(arXiv 2402.19427).",
        "hₜ = aₜ hₜ₋₁ + √(1 − aₜ²) (iₜ xₜ)",
    ),
)
