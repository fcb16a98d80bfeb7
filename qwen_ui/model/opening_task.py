"""Opening a model as a task of a process with limits (`qwen_ui.limited`)."""

from __future__ import annotations

from typing import Any

# What it needs is imported with it, in the process that the children are forked from.
import qwen_ui.model.catalog
import qwen_ui.model.reading
import qwen_ui.model.skeleton
import qwen_ui.model.weights.tying  # noqa: F401
from qwen_ui.model.opening import build_named
from qwen_ui.model.record import anatomy_to_record


def opened(source: str) -> dict[str, Any]:
    """The record of a named model, with where its weights are and whether a tie is broken."""
    anatomy, untied = build_named(source)
    folder = anatomy.weights_folder
    return {
        **anatomy_to_record(anatomy),
        "source": anatomy.source,
        "weights_folder": None if folder is None else str(folder),
        "untied": untied,
    }
