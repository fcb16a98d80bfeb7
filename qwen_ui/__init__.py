"""Qwen UI: what do I train, what does it cost, and what do I get?

    import qwen_ui

    anatomy = qwen_ui.open_model("qwen2.5-1.5b-instruct")
    selection = qwen_ui.resolve(qwen_ui.preset("bitfit", layers="last:4"), anatomy)
    cost = qwen_ui.estimate_cost(anatomy, selection, batch_size=4, sequence_length=512)
    run = qwen_ui.train("nano", "bitfit", "train.txt", steps=60)

Each name is imported when it is first used. `docs/library.md` describes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.errors import UserError
    from qwen_ui.freeze import (
        Cost,
        FreezePlan,
        Selection,
        apply,
        estimate_cost,
        export_text,
        import_plan,
        preset,
        resolve,
    )
    from qwen_ui.freeze.lint import Lint, lint_text
    from qwen_ui.library import (
        ComparedPlans,
        Run,
        RunList,
        compare_plans,
        find_comparison,
        find_run,
        list_runs,
        rank_blocks,
        train,
    )
    from qwen_ui.model import Anatomy, open_model
    from qwen_ui.rank import Ranking

__version__ = "0.1.0"
__all__ = [
    "Anatomy",
    "ComparedPlans",
    "Cost",
    "FreezePlan",
    "Lint",
    "Ranking",
    "Run",
    "RunList",
    "Selection",
    "UserError",
    "apply",
    "compare_plans",
    "estimate_cost",
    "export_text",
    "find_comparison",
    "find_run",
    "import_plan",
    "lint_text",
    "list_runs",
    "open_model",
    "preset",
    "rank_blocks",
    "resolve",
    "train",
]
__getattr__ = lazy_face(__name__, __file__)
