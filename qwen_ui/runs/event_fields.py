"""The fields of each kind of event, and what they may be."""

from __future__ import annotations

from typing import Any

from qwen_ui.files import check_depth
from qwen_ui.runs.fields import (
    Checks,
    is_count,
    is_flag,
    is_number,
    is_text,
    list_of,
    wrong_fields,
)


def _is_movement(value: Any) -> bool:
    """(block, norm) of one block."""
    return (
        isinstance(value, list) and len(value) == 2 and is_count(value[0]) and is_number(value[1])
    )


def _is_grid_row(value: Any) -> bool:
    """(kind, cells) of a picture of the live grid."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and is_text(value[0])
        and isinstance(value[1], list)
        and all(map(_is_cell, value[1]))
    )


def _is_kind(value: Any) -> bool:
    """(label, role, blocks) of a column of the live grid."""
    return isinstance(value, list) and len(value) == 3 and all(map(is_text, value))


def _is_cell(value: Any) -> bool:
    """(block, or null outside the blocks; ratio; gradient norm)."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and (value[0] is None or is_count(value[0]))
        and all(number is None or is_number(number) for number in value[1:])
    )


_COUNTS = (
    *("step", "steps", "processes", "threads", "prefix_blocks", "trainable_parameters"),
    *("total_parameters", "training_examples", "evaluation_examples"),
    *("keep_examples", "keep_tokens", "loaded_bytes"),
)
_TEXTS = (
    *("device", "device_name", "dtype", "learning_rate_source", "evaluation_fingerprint"),
    *("fingerprint", "keep_fingerprint", "training_fingerprint", "prefix"),
)
_KEPT = ("keep_error", "kl", "kl_error")
# Steps are many, and are checked column by column (`fold`).
FIELDS: dict[str, Checks] = {
    "start": {
        **dict.fromkeys(_COUNTS, is_count),
        **dict.fromkeys(_TEXTS, is_text),
        "learning_rate": is_number,
    },
    "eval": {
        "step": is_count,
        **dict.fromkeys(("loss", "standard_error", "elapsed"), is_number),
        **dict.fromkeys(("keep_loss", "keep_standard_error", *_KEPT), is_number),
    },
    "sample": {"step": is_count, "prompt": is_text, "text": is_text},
    "machine": {
        "step": is_count,
        **dict.fromkeys(("busy_percent", "used_bytes", "celsius", "watts"), is_number),
    },
    "movement": {"step": is_count, "blocks": list_of(_is_movement)},
    "grid": {"step": is_count, "rows": list_of(_is_grid_row), "kinds": list_of(_is_kind)},
    "trial": {
        "steps": is_count,
        **dict.fromkeys(("rate", "loss", "elapsed"), is_number),
    },
    "phase": {
        **dict.fromkeys(("done", "total"), is_count),
        **dict.fromkeys(("beside", "per_step"), is_number),
        "phase": is_text,
    },
    "log": {"level": is_text, "message": is_text},
    "end": {
        **dict.fromkeys(("status", "reason", "delta"), is_text),
        **dict.fromkeys(("eval_loss_before", "eval_loss_after", "gain_error"), is_number),
        **dict.fromkeys(("keep_loss_before", "keep_loss_after", *_KEPT), is_number),
        "learning_rate": is_number,
        "mistake": is_flag,
    },
}


def is_event(found: Any) -> bool:
    """Whether a line's JSON is an event whose fields are what they may be."""
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        return False
    checks = FIELDS.get(found["event"])
    if checks is None:
        return True
    try:
        check_depth(found)
    except ValueError:
        return False
    return not wrong_fields(found, checks)
