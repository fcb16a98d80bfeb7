"""Ranking blocks from a program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwen_ui.model import Anatomy
from qwen_ui.rank import Ranking, rank


def rank_blocks(
    model: str | Path | Anatomy, data: str | Path, *, method: str = "gradient", **settings: Any
) -> Ranking:
    """Score every block of a model on these data; higher means more important.

    Args:
        model, data: as for `train`.
        method: as the command `rank --method` takes it.
        settings: `sequences`, `batch_size`, `sequence_length`, `columns`, `on_progress`.

    Raises:
        UserError: the model, the data or a setting cannot be used.
    """
    source = model.source if isinstance(model, Anatomy) else str(model)
    return rank(source, str(data), method, **settings)
