"""What a module is, in one sentence with its formula, read from its class and its place."""

from __future__ import annotations

import re
from typing import Any

from qwen_ui.model.anatomy import Anatomy, Module, Role, is_bias
from qwen_ui.model.config_values import language_config
from qwen_ui.model.explain.explanation import Explain, Explanation, child_names
from qwen_ui.model.explain.feed_forward import experts, mlp, router
from qwen_ui.model.explain.projections import projection_purpose
from qwen_ui.model.explain.sequence_mixers import attention, recurrent_mixer


def explain_module(anatomy: Anatomy, name: str) -> Explanation:
    """What the module of this name is."""
    module = anatomy.modules_by_name[name]
    if not name:
        return _model(anatomy)
    blocks = {block.name: block for block in anatomy.blocks}
    if name == anatomy.stack:
        return Explanation(
            f"The list of the {anatomy.block_count} blocks, applied one after the other.",
            "h₀ = embedding, hₖ₊₁ = blockₖ(hₖ)",
            ("num_hidden_layers", "layer_types"),
        )
    if name in blocks:
        return _block(anatomy, module)
    config = language_config(anatomy.config)
    for pattern, explain in _CLASSES:
        if pattern.search(module.class_name):
            return explain(anatomy, module, config)
    return _other(module)


def _model(anatomy: Anatomy) -> Explanation:
    return Explanation(
        f"The whole model: {anatomy.total_parameters:,} parameters in "
        f"{len(anatomy.parameters):,} tensors, {anatomy.block_count} blocks. It outputs a score "
        "for each token that could come next.",
        "p(next token) = softmax(head(norm(blocks(embedding(tokens)))))",
        ("model_type", "hidden_size", "num_hidden_layers", "vocab_size", "tie_word_embeddings"),
    )


def _block(anatomy: Anatomy, module: Module) -> Explanation:
    children = child_names(anatomy, module)
    norms = [name for name in children if "norm" in name.lower() or name.startswith("ln_")]
    residual = {"input_layernorm", "post_attention_layernorm"} == set(norms)
    formula = "h = x + attention(norm(x)),  y = h + mlp(norm(h))" if residual else ""
    return Explanation(
        f"Block {module.block}, a decoder layer: it reads the residual stream and adds to it "
        f"through {', '.join(children)}.",
        formula,
        ("hidden_size", "num_attention_heads", "num_key_value_heads", "intermediate_size"),
    )


def _linear(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    has_bias = any(is_bias(name) for name in module.own)
    if module.role is Role.HEAD or _is_tied_head(anatomy, module):
        return _head(anatomy, module, has_bias)
    purpose = projection_purpose(module, language_config(anatomy.config))
    bias = "with a bias" if has_bias else "without a bias"
    # transformers' Conv1D (GPT-2) keeps its matrix as inputs × outputs.
    product = "x W" if module.class_name == "Conv1D" else "x Wᵀ"
    formula = f"y = {product} + b" if has_bias else f"y = {product}"
    return Explanation(f"{purpose}, {bias}.", formula, _PROJECTION_KEYS.get(module.role, ()))


def _is_tied_head(anatomy: Anatomy, module: Module) -> bool:
    """A head that shares the embedding's tensor is no embedding: it multiplies."""
    return any(anatomy.by_name[name].name != name for name in module.own) and module.block is None


def _head(anatomy: Anatomy, module: Module, has_bias: bool) -> Explanation:
    names = {name for own in module.own for name in anatomy.by_name[own].names}
    tied = sorted(names - set(module.own))
    also = f" It is the same tensor as {tied[0]}." if tied else ""
    return Explanation(
        f"The head: a score for each vocabulary entry.{also}",
        "logits = h Wᵀ" + (" + b" if has_bias else ""),
        ("vocab_size", "hidden_size", "tie_word_embeddings"),
    )


_PROJECTION_KEYS: dict[Role, tuple[str, ...]] = {
    Role.ATTENTION: (
        "hidden_size",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "q_lora_rank",
        "kv_lora_rank",
        "linear_num_key_heads",
        "linear_num_value_heads",
        "attention_bias",
    ),
    Role.MLP: ("hidden_size", "intermediate_size", "moe_intermediate_size", "mlp_bias"),
    Role.EXPERT: ("hidden_size", "moe_intermediate_size", "intermediate_size"),
    Role.ROUTER: ("num_experts", "num_experts_per_tok"),
}


def _norm(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    keys = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon")
    if re.search(r"RMS", module.class_name):
        return Explanation(
            "A root-mean-square norm: sets the size of each position's vector, then scales each "
            "channel by a learnt weight. It has no bias (arXiv 1910.07467).",
            "y = x / √(mean(x²) + ε) · w",
            keys,
        )
    return Explanation(
        "A layer norm: centres each position's vector, sets its size, then scales each channel.",
        "y = (x − mean) / √(variance + ε) · w + b",
        keys,
    )


def _embedding(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    tied = [n for own in module.own for n in anatomy.by_name[own].names if n not in module.own]
    also = f" The head {tied[0]} is the same tensor: training one trains both." if tied else ""
    return Explanation(
        f"A table with one learnt row an entry; looking up is all it does.{also}",
        "h = E[token]",
        ("vocab_size", "hidden_size", "tie_word_embeddings", "max_position_embeddings"),
    )


def _rotary(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    return Explanation(
        "Rotary positions: turns pairs of query and key channels by an angle that grows with the "
        "position (arXiv 2104.09864). It has no parameters.",
        "(q, k) → rotate by position · θ^(−2i/d)",
        ("rope_theta", "rope_parameters", "max_position_embeddings"),
    )


def _activation(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    silu = "SiLU" in module.class_name
    return Explanation(
        "An activation function; it has no parameters.",
        "x · sigmoid(x)" if silu else "",
        ("hidden_act", "activation_function"),
    )


def _convolution(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    return Explanation("A convolution along the sequence or over an image.", "", ("conv_kernel",))


def _list(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    count = len(child_names(anatomy, module))
    return Explanation(f"A list of {count} modules.")


def _other(module: Module) -> Explanation:
    if not module.parameters:
        return Explanation(f"A {module.class_name}; it has no parameters.")
    return Explanation(f"A {module.class_name} with {module.parameters:,} parameters.")


_CLASSES: tuple[tuple[re.Pattern[str], Explain], ...] = (
    (re.compile(r"Rotary"), _rotary),
    (re.compile(r"Norm"), _norm),
    (re.compile(r"^ModuleList$|^ModuleDict$|^Sequential$"), _list),
    (re.compile(r"Embedding"), _embedding),
    (re.compile(r"Router|TopKGate|MoEGate$"), router),
    (re.compile(r"Experts?$|MoeBlock|MoE$|Moe$|MixtureOfExperts"), experts),
    (
        re.compile(r"Mamba|GatedDelta|LinearAttention|Mixer|Rwkv|LSTM|RG?LRU|Recurrent"),
        recurrent_mixer,
    ),
    (re.compile(r"Attention|Attn"), attention),
    (re.compile(r"MLP|FeedForward|FFN"), mlp),
    (re.compile(r"Linear$|^Conv1D$"), _linear),
    (re.compile(r"^Conv\d?d$|Conv"), _convolution),
    (re.compile(r"SiLU|GELU|ReLU|Activation|Tanh|Sigmoid"), _activation),
)
