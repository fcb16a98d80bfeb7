"""How a ranking shows itself in a notebook: a bar per block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.markup import table, view

if TYPE_CHECKING:
    from qwen_ui.rank.ranking import Ranking


def ranking_view(ranking: Ranking) -> str:
    """HTML of the highest blocks, and of every block's score as a bar."""
    scores, top = ranking.scores.blocks, ranking.top()
    highest = max((abs(score) for score in scores), default=0.0) or 1.0
    rows = [
        (index, f"{score:.4g}", "highest" if index in top else "")
        for index, score in enumerate(scores)
    ]
    blocks = table(
        ("block", "score", ""),
        rows,
        right=(0, 1),
        shares=[max(score, 0.0) / highest for score in scores],
    )
    said = f"By {ranking.method} on {ranking.sequences:,} sequences, the highest blocks are "
    return view(
        f"Blocks of {ranking.model}",
        sentences=[f"{said}{', '.join(map(str, top))}."],
        notes=ranking.notes,
        tables=[blocks],
    )
