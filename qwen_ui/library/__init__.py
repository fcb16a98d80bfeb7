"""What programs and notebooks call: train, compare, rank, and runs as values that can be watched.

Called by users (its names are offered by `qwen_ui` itself), the commands and the dashboard's API.
It starts workers the same way as the command line, and holds nothing but names: whoever makes a
handle of the same name sees the same run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.library.comparing import ComparedPlans, compare_plans, find_comparison
    from qwen_ui.library.plans import AnyPlan, as_contender
    from qwen_ui.library.ranking import rank_blocks
    from qwen_ui.library.records import freeze_record, inspect_record
    from qwen_ui.library.runs import Run, RunList, find_run, list_runs
    from qwen_ui.library.training import train

__all__ = [
    "AnyPlan",
    "ComparedPlans",
    "Run",
    "RunList",
    "as_contender",
    "compare_plans",
    "find_comparison",
    "find_run",
    "freeze_record",
    "inspect_record",
    "list_runs",
    "rank_blocks",
    "train",
]
__getattr__ = lazy_face(__name__, __file__)
