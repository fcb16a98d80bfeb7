"""The strip of facts under the model picker."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from qwen_ui.ui.numbers import short_bytes, short_count

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy


def facts(anatomy: Anatomy) -> list[tuple[str, str, str]]:
    """(label, value for reading, exact value) of the facts that this architecture has."""
    text = _text_config(anatomy.config)
    heads, key_value = text.get("num_attention_heads"), text.get("num_key_value_heads")
    found = [
        (
            "parameters",
            short_count(anatomy.total_parameters),
            f"{anatomy.total_parameters:,} in {len(anatomy.parameters):,} tensors",
        ),
        ("blocks", f"{anatomy.block_count}", ", ".join(_block_classes(anatomy)) or "none found"),
        ("width", _grouped(text.get("hidden_size") or text.get("n_embd")), "hidden size"),
        ("heads", _heads(heads, key_value), "query heads / key-value heads"),
        ("vocabulary", _grouped(text.get("vocab_size")), "entries of the embedding"),
        ("head", _tie(anatomy), "; ".join(" = ".join(group) for group in anatomy.tied)),
        (anatomy.dtype, short_bytes(anatomy.bytes), f"{anatomy.bytes:,} bytes"),
    ]
    return [(label, value, exact) for label, value, exact in found if value]


def facts_html(anatomy: Anatomy) -> str:
    cells = (
        f'<div class="q-fact" title="{html.escape(exact)}"><dt>{html.escape(label)}</dt>'
        f"<dd>{html.escape(value)}</dd></div>"
        for label, value, exact in facts(anatomy)
    )
    return f'<dl class="q-facts">{"".join(cells)}</dl>'


def _text_config(config: dict[str, Any]) -> dict[str, Any]:
    """A multimodal wrapper keeps the language model's values one level down."""
    nested = config.get("text_config")
    return nested if isinstance(nested, dict) else config


def _block_classes(anatomy: Anatomy) -> list[str]:
    return list(dict.fromkeys(block.class_name for block in anatomy.blocks))


def _grouped(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _heads(heads: Any, key_value: Any) -> str:
    if not isinstance(heads, int):
        return ""
    return f"{heads} / {key_value}" if isinstance(key_value, int) else str(heads)


def _tie(anatomy: Anatomy) -> str:
    return "tied" if anatomy.tied else "untied"
