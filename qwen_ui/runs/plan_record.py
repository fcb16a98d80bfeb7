"""The freeze plan in a run's folder, as far as lists show it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen_ui.files import read_json
from qwen_ui.runs.fields import Checks, is_text, list_of

PLAN_NAME = "plan.json"
PLAN_FIELDS: Checks = {"name": is_text, "rules": list_of(lambda rule: isinstance(rule, dict))}


@dataclass(frozen=True, slots=True)
class RecordedPlan:
    """Name and rules of a plan; what is missing or of a wrong type is empty."""

    name: str
    rules: tuple[dict[str, Any], ...]


def recorded_plan(folder: Path) -> RecordedPlan:
    """The plan of a run, for lists that must not fail."""
    record = read_json(folder / PLAN_NAME)
    sound = {key: value for key, value in record.items() if key in PLAN_FIELDS and value}
    sound = {key: value for key, value in sound.items() if PLAN_FIELDS[key](value)}
    return RecordedPlan(sound.get("name", ""), tuple(sound.get("rules", ())))
