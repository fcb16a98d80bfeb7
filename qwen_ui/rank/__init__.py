"""Which blocks matter: scores of every block by several methods, on a person's own data.

Called by pages and the command line. It loads weights, in a process of its own for a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.rank.ranking import Ranking, agreement, rank_correlation
    from qwen_ui.rank.run import METHODS, WORDS, rank, rank_all, rank_all_apart, rank_apart

__all__ = [
    "METHODS",
    "WORDS",
    "Ranking",
    "agreement",
    "rank",
    "rank_all",
    "rank_all_apart",
    "rank_apart",
    "rank_correlation",
]
__getattr__ = lazy_face(
    __name__,
    {
        "METHODS": "run",
        "WORDS": "run",
        "Ranking": "ranking",
        "agreement": "ranking",
        "rank": "run",
        "rank_all": "run",
        "rank_all_apart": "run",
        "rank_apart": "run",
        "rank_correlation": "ranking",
    },
)
