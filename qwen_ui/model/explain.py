"""What a module is, in one sentence with its formula, read from its class and its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qwen_ui.model.anatomy import Anatomy, Module, language_config


@dataclass(frozen=True, slots=True)
class Explanation:
    """One sentence, one formula (often empty), and the configuration keys that matter here."""

    sentence: str
    formula: str = ""
    keys: tuple[str, ...] = ()


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
        f"{len(anatomy.parameters):,} tensors, {anatomy.block_count} blocks. It puts out a score "
        "for each token that could come next.",
        "p(next token) = softmax(head(norm(blocks(embedding(tokens)))))",
        ("model_type", "hidden_size", "num_hidden_layers", "vocab_size", "tie_word_embeddings"),
    )


def _block(anatomy: Anatomy, module: Module) -> Explanation:
    children = [
        m.name.rpartition(".")[2]
        for m in anatomy.modules
        if m.name.rpartition(".")[0] == module.name
    ]
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
    has_bias = any(name.endswith(".bias") for name in module.own)
    names = {name for name in module.own for name in anatomy.by_name[name].names}
    if str(module.role) == "head":
        tied = [name for name in names if name not in module.own]
        also = f" It is the same tensor as {tied[0]}." if tied else ""
        return Explanation(
            f"The head: a score for each vocabulary entry.{also}",
            "logits = h Wᵀ" + (" + b" if has_bias else ""),
            ("vocab_size", "hidden_size", "tie_word_embeddings"),
        )
    leaf = module.name.rpartition(".")[2]
    purpose = _PROJECTIONS.get(leaf, "A linear map")
    bias = "with a bias" if has_bias else "without a bias"
    return Explanation(f"{purpose}, {bias}.", "y = x Wᵀ + b" if has_bias else "y = x Wᵀ")


_PROJECTIONS = {
    "q_proj": "The query projection: what each position looks for",
    "k_proj": "The key projection: what each position offers to be found by",
    "v_proj": "The value projection: what each position hands on when it is attended to",
    "o_proj": "The output projection: the heads' results, mixed back into the residual stream",
    "out_proj": "The output projection, back into the residual stream",
    "qkv_proj": "The fused query, key and value projection",
    "query_key_value": "The fused query, key and value projection",
    "gate_proj": "The gate of the MLP: its activation decides how much of each inner value passes",
    "up_proj": "The MLP's way up, into its inner width",
    "down_proj": "The MLP's way down, back into the residual stream",
    "gate_up_proj": "Gate and way up of the MLP in one matrix",
    "fc1": "The MLP's way up, into its inner width",
    "fc2": "The MLP's way down, back into the residual stream",
    "kv_a_proj_with_mqa": "The latent key-value compression, with the rotary part of the key",
    "kv_b_proj": "Keys and values for all heads, out of the latent",
    "q_a_proj": "The latent query compression",
    "q_b_proj": "Queries for all heads, out of the latent",
}


def _attention(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    heads, groups = config.get("num_attention_heads"), config.get("num_key_value_heads")
    if config.get("kv_lora_rank") and "kv_a" in " ".join(_below(anatomy, module)):
        how = "latent: keys and values come out of one small vector a position"
    elif isinstance(heads, int) and isinstance(groups, int) and groups < heads:
        many = f"{heads} query heads share {groups} key-value heads"
        how = f"{'multi-query' if groups == 1 else 'grouped-query'}: {many}"
    elif isinstance(heads, int):
        how = f"multi-head: {heads} heads, each with keys and values of its own"
    else:
        how = "how many heads, the configuration does not say"
    return Explanation(
        f"Attention: each position gathers from the ones before it; {how}.",
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


def _linear_attention(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    return Explanation(
        "A recurrent mixer: it carries a state of fixed size along the sequence instead of looking "
        "back at every position.",
        "sₜ = decayₜ · sₜ₋₁ + kₜ vₜᵀ,  yₜ = qₜ sₜ",
        ("state_size", "conv_kernel", "linear_num_value_heads", "linear_num_key_heads"),
    )


def _mlp(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    below = " ".join(_below(anatomy, module))
    activation = config.get("hidden_act") or config.get("activation_function") or "act"
    gated = "gate" in below
    return Explanation(
        "The MLP: works on each position by itself"
        + (", a gated one (SwiGLU and its kin, arXiv 2002.05202)." if gated else "."),
        f"down({activation}(gate(x)) · up(x))" if gated else f"W₂ {activation}(W₁ x)",
        ("intermediate_size", "hidden_act", "activation_function", "mlp_bias"),
    )


def _experts(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    return Explanation(
        "A mixture of experts: a router sends each position to a few of many MLPs, so that most "
        "parameters rest at each step.",
        "y = Σ over the chosen e of weightₑ · expertₑ(x)",
        (
            "num_experts",
            "num_local_experts",
            "n_routed_experts",
            "num_experts_per_tok",
            "moe_intermediate_size",
            "n_shared_experts",
        ),
    )


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
    count = len(_below(anatomy, module))
    return Explanation(f"A list of {count} modules.")


def _other(module: Module) -> Explanation:
    if not module.parameters:
        return Explanation(f"A {module.class_name}; it has no parameters.")
    return Explanation(f"A {module.class_name} with {module.parameters:,} parameters.")


def _below(anatomy: Anatomy, module: Module) -> list[str]:
    prefix = f"{module.name}."
    leaves = [m.name[len(prefix) :] for m in anatomy.modules if m.name.startswith(prefix)]
    return [leaf for leaf in leaves if "." not in leaf]


_Explain = Callable[[Anatomy, Module, dict[str, Any]], Explanation]
_CLASSES: tuple[tuple[re.Pattern[str], _Explain], ...] = (
    (re.compile(r"Rotary"), _rotary),
    (re.compile(r"Norm"), _norm),
    (re.compile(r"^ModuleList$|^ModuleDict$|^Sequential$"), _list),
    (re.compile(r"Embedding"), _embedding),
    (re.compile(r"Experts?$|Moe|MoE|Router|Gate$"), _experts),
    (
        re.compile(r"Mamba|GatedDelta|LinearAttention|Mixer|Rwkv|LSTM|RG?LRU|Recurrent"),
        _linear_attention,
    ),
    (re.compile(r"Attention|Attn"), _attention),
    (re.compile(r"MLP|FeedForward|FFN"), _mlp),
    (re.compile(r"Linear$|^Conv1D$"), _linear),
    (re.compile(r"^Conv\d?d$|Conv"), _convolution),
    (re.compile(r"SiLU|GELU|ReLU|Activation|Tanh|Sigmoid"), _activation),
)
