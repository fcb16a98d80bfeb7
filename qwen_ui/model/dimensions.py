"""Why a tensor has its shape: each size explained by the configuration's own numbers.

`256` of a key projection is `2 key-value heads × 128`. The same size can have several readings
(1,536 is the width and also 12 heads × 128); where a tensor stands decides which comes first.
"""

from __future__ import annotations

import math
from typing import Any

from qwen_ui.model.anatomy import Anatomy, Module, Parameter, language_config

_WORDS = {
    "hidden_size": "width of the residual stream",
    "n_embd": "width of the residual stream",
    "d_model": "width of the residual stream",
    "vocab_size": "vocabulary entries",
    "intermediate_size": "inner width of the MLP",
    "ffn_dim": "inner width of the MLP",
    "n_inner": "inner width of the MLP",
    "moe_intermediate_size": "inner width of an expert",
    "shared_expert_intermediate_size": "inner width of the shared expert",
    "num_experts": "experts",
    "num_local_experts": "experts",
    "n_routed_experts": "experts",
    "max_position_embeddings": "positions",
    "n_positions": "positions",
    "q_lora_rank": "rank of the latent query",
    "kv_lora_rank": "rank of the latent key-value",
    "head_dim": "size of one head",
    "type_vocab_size": "segment types",
    "conv_kernel": "width of the convolution",
    "state_size": "size of the state",
}


def head_size(config: dict[str, Any]) -> int | None:
    """Size of one attention head; the width over the heads where none is named."""
    if isinstance(config.get("head_dim"), int):
        return int(config["head_dim"])
    heads, width = _first(config, "num_attention_heads", "n_head"), _first(config, "hidden_size")
    return width // heads if heads and width and width % heads == 0 else None


def explain_shape(anatomy: Anatomy, parameter: Parameter) -> tuple[str, ...]:
    """A sentence for each dimension that the configuration explains, in the tensor's order."""
    config = language_config(anatomy.config)
    readings = _readings(config)
    owner = anatomy.modules_by_name[parameter.module]
    sides = _sides(parameter, owner)
    found = []
    for size, side in zip(parameter.shape, sides, strict=True):
        reading = _pick(readings.get(size, ()), _preferred(parameter, side))
        if reading:
            found.append(f"{size:,} {side}: {reading}".replace("  ", " "))
    return tuple(found)


def _sides(parameter: Parameter, owner: Module) -> tuple[str, ...]:
    """What each dimension is for: a linear weight is outputs × inputs."""
    rank = len(parameter.shape)
    if parameter.name.endswith(".weight") and rank == 2:
        if "Embedding" in owner.class_name:
            return ("rows", "columns")
        return ("inputs", "outputs") if owner.class_name == "Conv1D" else ("outputs", "inputs")
    if rank == 3 and str(parameter.role) == "expert":
        return ("experts", "outputs", "inputs")
    return ("values",) * rank


def _readings(config: dict[str, Any]) -> dict[int, list[tuple[str, str]]]:
    """Size -> (what it is, in words with the configuration's key) in order of plainness."""
    found: dict[int, list[tuple[str, str]]] = {}

    def read(size: int | None, what: str, text: str) -> None:
        if size and size > 1:
            found.setdefault(size, []).append((what, text))

    for key, words in _WORDS.items():
        value = config.get(key)
        read(value if isinstance(value, int) else None, key, f"the {words} ({key})")
    heads = _first(config, "num_attention_heads", "n_head")
    groups = _first(config, "num_key_value_heads")
    size = head_size(config)
    if heads and size:
        read(heads * size, "heads", f"{heads} query heads × {size}")
        if groups and groups != heads:
            read(groups * size, "groups", f"{groups} key-value heads × {size}")
            read((heads + 2 * groups) * size, "fused", _fused(heads, groups, size))
        else:
            read(3 * heads * size, "fused", f"query, key and value of {heads} heads × {size}")
    for key in ("intermediate_size", "moe_intermediate_size"):
        value = config.get(key)
        if isinstance(value, int):
            read(2 * value, "gate_up", f"gate and up, {value:,} each (2 × {key})")
    _read_latent(config, heads, read)
    return found


def _fused(heads: int, groups: int, size: int) -> str:
    return f"{heads} query heads and twice {groups} key-value heads, × {size}"


def _read_latent(config: dict[str, Any], heads: int | None, read: Any) -> None:
    """Multi-head latent attention: DeepSeek-V2, arXiv 2405.04434, section 2.1."""
    rank, rope = _first(config, "kv_lora_rank"), _first(config, "qk_rope_head_dim")
    plain, value = _first(config, "qk_nope_head_dim"), _first(config, "v_head_dim")
    if rank and rope:
        read(rank + rope, "latent", f"latent key-value {rank} + rotary key {rope}")
    if heads and plain and rope:
        read(heads * (plain + rope), "heads", f"{heads} heads × ({plain} plain + {rope} rotary)")
    if heads and plain and value:
        read(heads * (plain + value), "latent", f"{heads} heads × ({plain} key + {value} value)")
    if heads and value:
        read(heads * value, "heads", f"{heads} heads × {value} value")


def _preferred(parameter: Parameter, side: str) -> tuple[str, ...]:
    """Which readings to ask first for a tensor of this name."""
    path = parameter.kind.rpartition(".")[0].rpartition(".")[2]
    if str(parameter.role) != "attention":
        return ()
    if path.startswith("kv_") and side == "outputs":
        return ("latent",)
    if path.startswith("q_b") and side == "outputs":
        return ("heads",)
    if path.startswith(("k_proj", "v_proj", "key", "value")) and side != "inputs":
        return ("groups", "heads")
    if path.startswith(("q_proj", "query")) and side != "inputs":
        return ("heads",)
    if path.startswith(("o_proj", "out_proj", "dense")) and side == "inputs":
        return ("heads",)
    return ()


def _pick(readings: Any, preferred: tuple[str, ...]) -> str:
    for wanted in preferred:
        for what, text in readings:
            if what == wanted:
                return str(text)
    return str(readings[0][1]) if readings else ""


def _first(config: dict[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = config.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def product(shape: tuple[int, ...]) -> str:
    """`256 × 1,536 = 393,216`."""
    sizes = " × ".join(f"{size:,}" for size in shape)
    return sizes if len(shape) < 2 else f"{sizes} = {math.prod(shape):,}"
