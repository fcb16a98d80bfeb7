"""Two models side by side: which facts and which kinds differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from qwen_ui.formats import shape_text
from qwen_ui.model.anatomy import Anatomy, Kind
from qwen_ui.model.config_values import config_value, head_size, language_config

_FACTS = {
    "width": "hidden_size",
    "query heads": "num_attention_heads",
    "key-value heads": "num_key_value_heads",
    "inner width": "intermediate_size",
    "vocabulary": "vocab_size",
    "positions": "max_position_embeddings",
    "activation": "hidden_act",
    "experts": "num_experts",
    "experts at a time": "num_experts_per_tok",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing of both models; an empty side means that the model does not have it."""

    what: str
    left: str
    right: str

    @property
    def differs(self) -> bool:
        return self.left != self.right


@dataclass(frozen=True, slots=True)
class Difference:
    """Facts and kinds of two models, in the order of the first.

    Attributes:
        facts: architecture, sizes and counts.
        kinds: shape of every kind, with the number of blocks that have it.
        shared_plan: whether both name their blocks and the kinds inside alike, so that a plan over
            blocks fits both.
    """

    facts: tuple[Row, ...]
    kinds: tuple[Row, ...]
    shared_plan: bool


def compare_models(left: Anatomy, right: Anatomy) -> Difference:
    """What two models have in common and what differs."""
    ours, theirs = _facts(left), _facts(right)
    facts = tuple(
        Row(what, ours.get(what, ""), theirs.get(what, ""))
        for what in dict.fromkeys((*ours, *theirs))
    )
    mine = {(bool(k.blocks), k.kind): _describe(k) for k in left.kinds}
    other = {(bool(k.blocks), k.kind): _describe(k) for k in right.kinds}
    kinds = tuple(
        Row(key[1], mine.get(key, ""), other.get(key, "")) for key in dict.fromkeys((*mine, *other))
    )
    same_kinds = {key for key in mine if key[0]} == {key for key in other if key[0]}
    return Difference(facts, kinds, left.stack == right.stack and same_kinds)


def _facts(anatomy: Anatomy) -> dict[str, str]:
    config = language_config(anatomy.config)
    found: dict[str, Any] = {
        "architecture": anatomy.modules[0].class_name,
        "parameters": anatomy.total_parameters,
        "tensors": len(anatomy.parameters),
        "blocks": anatomy.block_count,
        "block classes": ", ".join(dict.fromkeys(b.class_name for b in anatomy.blocks)),
        "head": "tied to the embedding" if anatomy.head_is_tied else "a tensor of its own",
        "dtype": anatomy.dtype,
        "bytes": anatomy.bytes,
        "size of a head": head_size(config),
    }
    for label, name in _FACTS.items():
        named = config_value(config, name)
        found[label] = None if named is None else named[1]
    layers = Counter(anatomy.layer_type(block.name) for block in anatomy.blocks)
    found["block types"] = ", ".join(f"{n} × {kind}" for kind, n in layers.items() if kind)
    return {what: _text(value) for what, value in found.items() if value not in (None, "")}


def _text(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _describe(kind: Kind) -> str:
    shape = shape_text(kind.shape)
    return f"{shape} · {len(kind.blocks)} blocks" if kind.blocks else shape
