"""Why a tensor has its shape: each size explained by the configuration's own numbers.

`256` of a key projection is `2 key-value heads × 128`. The same size can have several readings
(1,536 is the width and also 12 heads × 128); where a tensor stands decides which comes first.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

from qwen_ui.formats import shape_text
from qwen_ui.model.anatomy import Anatomy, Module, Parameter, Role
from qwen_ui.model.config_values import (
    config_int,
    config_value,
    head_size,
    key_value_heads,
    language_config,
)

_SIZE_NAMES = {
    "hidden_size": "width of the residual stream",
    "vocab_size": "vocabulary entries",
    "intermediate_size": "inner width",
    "moe_intermediate_size": "inner width of an expert",
    "shared_expert_intermediate_size": "inner width of the shared expert",
    "num_experts": "experts",
    "max_position_embeddings": "positions",
    "q_lora_rank": "rank of the latent query",
    "kv_lora_rank": "rank of the latent key-value",
    "head_dim": "size of one head",
    "type_vocab_size": "segment types",
    "conv_kernel": "width of the convolution",
    "linear_conv_kernel_dim": "width of the convolution",
    "mamba_d_conv": "width of the convolution",
    "state_size": "size of the state",
    "mamba_d_state": "size of the state",
    "time_step_rank": "rank of the time step",
    "mamba_dt_rank": "rank of the time step",
    "linear_value_head_dim": "size of one value head",
}


class _Read(Protocol):
    """Notes one reading of a size: a label to prefer it by, and the text."""

    def __call__(self, size: int | None, label: str, text: str) -> None: ...


def explain_shape(anatomy: Anatomy, parameter: Parameter) -> tuple[str, ...]:
    """A sentence for each dimension that the configuration explains, in the tensor's order."""
    config = language_config(anatomy.config)
    readings = _readings(config)
    owner = anatomy.modules_by_name[parameter.module]
    found = []
    for size, side in zip(parameter.shape, _sides(parameter, owner, config), strict=True):
        reading = _pick(readings.get(size, ()), _preferred(parameter, side))
        if parameter.role is Role.MLP:
            reading = reading.replace("inner width (", "inner width of the MLP (")
        if reading:
            found.append(f"{size:,} {side}: {reading}")
    return tuple(found)


def _sides(parameter: Parameter, owner: Module, config: dict[str, Any]) -> tuple[str, ...]:
    """What each dimension is for: a linear weight is outputs × inputs, transformers' Conv1D not."""
    rank = len(parameter.shape)
    if parameter.name.endswith(".weight") and rank == 2:
        if "Embedding" in owner.class_name:
            return ("rows", "columns")
        return ("inputs", "outputs") if owner.class_name == "Conv1D" else ("outputs", "inputs")
    if rank == 3 and parameter.role is Role.EXPERT:
        # Some families keep a fused expert as inputs × outputs: the width tells which it is.
        leaf = parameter.name.rpartition(".")[2]
        into_stream = "down" in leaf or leaf.startswith("w2")
        turned = parameter.shape[2 if into_stream else 1] == config_int(config, "hidden_size")
        return ("experts", "inputs", "outputs") if turned else ("experts", "outputs", "inputs")
    return ("values",) * rank


def _readings(config: dict[str, Any]) -> dict[int, list[tuple[str, str]]]:
    """Size -> its readings (label, text with the configuration's key), the plainest first."""
    found: dict[int, list[tuple[str, str]]] = {}

    def read(size: int | None, label: str, text: str) -> None:
        if size and size > 1:
            found.setdefault(size, []).append((label, text))

    for name, size_name in _SIZE_NAMES.items():
        named = config_value(config, name)
        if named is not None:
            read(config_int(config, name), name, f"the {size_name} ({named[0]})")
    _read_heads(config, read)
    _read_latent(config, read)
    _read_inner(config, read)
    _read_delta(config, read)
    _read_state_space(config, read)
    return found


def _read_heads(config: dict[str, Any], read: _Read) -> None:
    heads, groups = config_int(config, "num_attention_heads"), key_value_heads(config)
    size = head_size(config)
    if not (heads and groups and size):
        return
    read(heads * size, "heads", f"{heads} query heads × {size}")
    read(2 * heads * size, "gated", f"{heads} query heads × {size}, and a gate of that size")
    if groups == heads:
        read(3 * heads * size, "fused", f"query, key and value of {heads} heads × {size}")
        return
    read(groups * size, "groups", f"{groups} key-value heads × {size}")
    text = f"{heads} query heads and twice {groups} key-value heads, × {size}"
    read((heads + 2 * groups) * size, "fused", text)


def _read_latent(config: dict[str, Any], read: _Read) -> None:
    """Multi-head latent attention: DeepSeek-V2, arXiv 2405.04434, section 2.1."""
    heads = config_int(config, "num_attention_heads")
    rank, rope = config_int(config, "kv_lora_rank"), config_int(config, "qk_rope_head_dim")
    plain, value = config_int(config, "qk_nope_head_dim"), config_int(config, "v_head_dim")
    if rank and rope:
        read(rank + rope, "latent", f"latent key-value {rank} + rotary key {rope}")
    if heads and plain and rope:
        read(heads * (plain + rope), "heads", f"{heads} heads × ({plain} plain + {rope} rotary)")
    if heads and plain and value:
        read(heads * (plain + value), "latent", f"{heads} heads × ({plain} key + {value} value)")
    if heads and value:
        read(heads * value, "heads", f"{heads} heads × {value} value")


def _read_inner(config: dict[str, Any], read: _Read) -> None:
    width = config_int(config, "hidden_size")
    if width and config_value(config, "intermediate_size") is None:
        read(4 * width, "inner", "four times the width (no inner width is named)")
    for name in ("intermediate_size", "moe_intermediate_size"):
        size, named = config_int(config, name), config_value(config, name)
        if size and named:
            read(2 * size, "gate_up", f"gate and up, {size:,} each (2 × {named[0]})")


def _read_delta(config: dict[str, Any], read: _Read) -> None:
    """Gated DeltaNet (arXiv 2412.06464), as Qwen3-Next has it."""
    keys, key = (
        config_int(config, "linear_num_key_heads"),
        config_int(config, "linear_key_head_dim"),
    )
    values, value = (
        config_int(config, "linear_num_value_heads"),
        config_int(config, "linear_value_head_dim"),
    )
    if not (keys and key and values and value):
        return
    inner, outer = keys * key, values * value
    read(values, "delta", f"{values} value heads, one number each (linear_num_value_heads)")
    read(2 * values, "delta", f"two numbers for each of {values} value heads")
    read(outer, "delta", f"{values} value heads × {value}")
    read(inner, "delta", f"{keys} key heads × {key}")
    read(2 * inner + outer, "delta", f"query and key of {inner:,} each, value of {outer:,}")
    read(2 * (inner + outer), "delta", f"query and key, {inner:,} each; value and gate, {outer:,}")


def _read_state_space(config: dict[str, Any], read: _Read) -> None:
    """Mamba: arXiv 2312.00752, section 3.4."""
    width = config_int(config, "hidden_size")
    expand = config_int(config, "expand") or config_int(config, "mamba_expand")
    state = config_int(config, "state_size") or config_int(config, "mamba_d_state")
    rank = config_int(config, "time_step_rank") or config_int(config, "mamba_dt_rank")
    if width and expand:
        read(expand * width, "mixer", f"the inner width of the mixer ({expand} × {width:,})")
        read(2 * expand * width, "mixer", f"input and gate, {expand * width:,} each")
    if rank and state:
        read(rank + 2 * state, "mixer", f"time step of rank {rank}, B and C of {state} each")


# (beginnings of a projection's name, the side, the readings to ask first)
_PREFERRED: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = (
    (("kv_",), "outputs", ("latent",)),
    (("q_b",), "outputs", ("heads",)),
    (("k_proj", "v_proj", "key", "value"), "outputs values", ("groups", "heads")),
    (("q_proj", "query"), "outputs values", ("heads", "gated")),
    (("o_proj", "out_proj", "dense", "c_proj"), "inputs", ("heads",)),
    (("c_attn", "query_key_value", "qkv", "Wqkv", "W_pack"), "outputs values", ("fused",)),
)


def _preferred(parameter: Parameter, side: str) -> tuple[str, ...]:
    """Which readings to ask first for a tensor of this name."""
    path = parameter.kind.rpartition(".")[0]
    if parameter.role is Role.OTHER or "linear_attn" in path:
        return ("mixer", "delta")
    if parameter.role is not Role.ATTENTION:
        return ()
    leaf = path.rpartition(".")[2]
    for beginnings, sides, wanted in _PREFERRED:
        if leaf.startswith(beginnings) and side in sides:
            return wanted
    return ()


def _pick(readings: Any, preferred: tuple[str, ...]) -> str:
    for wanted in preferred:
        for label, text in readings:
            if label == wanted:
                return str(text)
    return str(readings[0][1]) if readings else ""


def shape_product(shape: tuple[int, ...]) -> str:
    """`256 × 1,536 = 393,216`."""
    sizes = shape_text(shape)
    return sizes if len(shape) < 2 else f"{sizes} = {math.prod(shape):,}"
