"""Plans as a program gives them: by a preset's name, as a plan, or as what it selects."""

from __future__ import annotations

from typing import TypeAlias

from qwen_ui.compare import Contender, parse_plans
from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, Selection

AnyPlan: TypeAlias = str | FreezePlan | Selection | Contender


def as_contender(plan: AnyPlan) -> Contender:
    """What is to be trained.

    Args:
        plan: a plan, a selection, a plan by LoRA (`Contender`), or as `compare --plans` names one:
            `bitfit`, `mlp@last:2`, `lora`, or a plan file.

    Raises:
        PlanError: no preset or file has that name.
    """
    if isinstance(plan, Contender):
        return plan
    if isinstance(plan, Selection):
        return Contender(plan.plan)
    if isinstance(plan, FreezePlan):
        return Contender(plan)
    found = parse_plans(plan)
    if len(found) != 1:
        raise PlanError(f"'{plan}' does not name one plan. Give one, such as bitfit@last:4.")
    only = found[0]
    return only if isinstance(only, Contender) else Contender(only)
