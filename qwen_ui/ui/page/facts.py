"""The strip of facts under the model picker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ui.formats import short_bytes, short_count
from qwen_ui.markup import render
from qwen_ui.model import config_int, key_value_heads, language_config

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy


def facts(anatomy: Anatomy) -> list[tuple[str, str, str]]:
    """(label, value for reading, exact value) of the facts that this architecture has."""
    config = language_config(anatomy.config)
    experts = config_int(config, "num_experts")
    found = [
        (
            "parameters",
            short_count(anatomy.total_parameters),
            f"{anatomy.total_parameters:,} in {len(anatomy.parameters):,} tensors",
        ),
        ("blocks", f"{anatomy.block_count}", ", ".join(_block_classes(anatomy)) or "none found"),
        ("width", _grouped(config_int(config, "hidden_size")), "hidden size"),
        ("heads", _heads(config), "query heads / key-value heads"),
        ("experts", _experts(config) if experts else "", "chosen at a time / in a block"),
        ("vocabulary", _grouped(config_int(config, "vocab_size")), "entries of the embedding"),
        ("head", _tie(anatomy), "; ".join(" = ".join(group) for group in anatomy.tied)),
        (anatomy.dtype, short_bytes(anatomy.bytes), f"{anatomy.bytes:,} bytes"),
    ]
    return [(label, value, exact) for label, value, exact in found if value]


def facts_html(anatomy: Anatomy) -> str:
    """The strip as HTML."""
    return render("page/facts.html", facts=facts(anatomy))


def _block_classes(anatomy: Anatomy) -> list[str]:
    return list(dict.fromkeys(block.class_name for block in anatomy.blocks))


def _grouped(value: int | None) -> str:
    return f"{value:,}" if value else ""


def _heads(config: dict[str, Any]) -> str:
    heads, key_value = config_int(config, "num_attention_heads"), key_value_heads(config)
    return f"{heads} / {key_value}" if heads and key_value else ""


def _experts(config: dict[str, Any]) -> str:
    chosen, count = config_int(config, "num_experts_per_tok"), config_int(config, "num_experts")
    return f"{chosen} of {count}" if chosen else str(count)


def _tie(anatomy: Anatomy) -> str:
    return "tied" if anatomy.head_is_tied else "untied"
