"""Which blocks matter: scores of every block by several methods, on a person's own data.

Called by the Freeze and Compare tabs and the commands. It loads weights, for a page in a process of
its own, and keeps what it found under `home()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.rank.ranking import Ranking, agreement, rank_correlation
    from qwen_ui.rank.run import (
        METHODS,
        WORDS,
        rank,
        rank_all,
        rank_all_apart,
        rank_apart,
    )

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
__getattr__ = lazy_face(__name__, __file__)
