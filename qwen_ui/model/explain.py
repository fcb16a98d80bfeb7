"""What a module is, in one sentence with its formula, read from its class and its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qwen_ui.model.anatomy import Anatomy, Module, Role
from qwen_ui.model.purposes import projection_purpose
from qwen_ui.model.settings import key_value_heads, language_config, text, whole


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
        f"{len(anatomy.parameters):,} tensors, {anatomy.block_count} blocks. It outputs a score "
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


def _attention(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    below = _below(anatomy, module)
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
    heads, groups = whole(config, "num_attention_heads"), key_value_heads(config)
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
    window = whole(config, "sliding_window") or whole(config, "attention_chunk_size")
    if layer_type in ("sliding_attention", "chunked_attention") and window:
        return f"; it looks back {window:,} positions at most ({layer_type})"
    return "; it looks back over the whole context" if layer_type == "full_attention" else ""


def _tower(module: Module) -> str:
    """The first part of a module's path that says what it reads."""
    parts = module.name.split(".")
    return next((p for p in parts if re.search(r"vision|audio|image|encoder", p)), parts[0])


def _mixer(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
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


def _mlp(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    below = " ".join(_below(anatomy, module))
    activation = text(config, "hidden_act") or "act"
    gated = "gate" in below or {"w1", "w2", "w3"} <= set(below.split())
    start = "The MLP: works on each position by itself"
    if "shared" in module.name:
        start = "The shared expert: an MLP that every position passes, whatever the router says"
    return Explanation(
        start + (", a gated one (SwiGLU and its kin, arXiv 2002.05202)." if gated else "."),
        f"down({activation}(gate(x)) · up(x))" if gated else f"W₂ {activation}(W₁ x)",
        ("intermediate_size", "moe_intermediate_size", "hidden_act", "mlp_bias"),
    )


_EXPERT_KEYS = ("num_experts", "num_experts_per_tok", "moe_intermediate_size", "num_shared_experts")


def _router(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    count, chosen = whole(config, "num_experts"), whole(config, "num_experts_per_tok")
    best = f"the best {chosen}" if chosen else "the best"
    of = f" of {count}" if count else ""
    return Explanation(
        f"The router: a score for each expert at each position; {best}{of} are used.",
        "weight = top(softmax or sigmoid(x Wᵀ))",
        _EXPERT_KEYS,
    )


def _experts(anatomy: Anatomy, module: Module, config: dict[str, Any]) -> Explanation:
    fused = [anatomy.by_name[name] for name in module.own if len(anatomy.by_name[name].shape) == 3]
    if fused:
        return Explanation(
            f"{fused[0].shape[0]} experts in one tensor a matrix: a name takes all of them or "
            "none, so a single expert cannot be frozen by name.",
            "y = Σ over the chosen e of weightₑ · expertₑ(x)",
            _EXPERT_KEYS,
        )
    return Explanation(
        "A mixture of experts: a router sends each position to a few of many MLPs, so that most "
        "parameters rest at each step.",
        "y = Σ over the chosen e of weightₑ · expertₑ(x)",
        _EXPERT_KEYS,
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
    (re.compile(r"Router|TopKGate|MoEGate$"), _router),
    (re.compile(r"Experts?$|MoeBlock|MoE$|Moe$|MixtureOfExperts"), _experts),
    (re.compile(r"Mamba|GatedDelta|LinearAttention|Mixer|Rwkv|LSTM|RG?LRU|Recurrent"), _mixer),
    (re.compile(r"Attention|Attn"), _attention),
    (re.compile(r"MLP|FeedForward|FFN"), _mlp),
    (re.compile(r"Linear$|^Conv1D$"), _linear),
    (re.compile(r"^Conv\d?d$|Conv"), _convolution),
    (re.compile(r"SiLU|GELU|ReLU|Activation|Tanh|Sigmoid"), _activation),
)
