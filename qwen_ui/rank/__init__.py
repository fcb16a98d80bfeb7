"""Which blocks matter: scores of every block by several methods, on a person's own data.

Called by the Freeze and Compare tabs and the commands. It loads weights, for a page in a process of
its own, and keeps what it found under `home()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.rank.methods import METHODS, Method
    from qwen_ui.rank.ranking import Ranking, agreement, rank_correlation
    from qwen_ui.rank.run import rank, rank_all
    from qwen_ui.rank.subprocess_run import rank_all_in_subprocess, rank_in_subprocess

__all__ = [
    "METHODS",
    "Method",
    "Ranking",
    "agreement",
    "rank",
    "rank_all",
    "rank_all_in_subprocess",
    "rank_correlation",
    "rank_in_subprocess",
]
__getattr__ = lazy_face(__name__, __file__)
