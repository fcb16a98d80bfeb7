"""Every recorded step and evaluation of a run as CSV, nothing thinned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwen_ui.runs.curves import KEPT_FIGURES, MACHINE
from qwen_ui.runs.fold import RunFold

CSV_COLUMNS = (
    *("step", "epoch", "tokens", "elapsed", "loss", "eval_loss", *KEPT_FIGURES),
    *("learning_rate", "gradient_norm", "seconds", "memory_bytes", *MACHINE),
)


def csv_of(fold: RunFold) -> str:
    """A row per step; one per evaluation and reading of the machine, which follow on their step."""
    columns = fold.columns
    steps = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    evals = [{**event, "eval_loss": event.get("loss"), "loss": None} for event in fold.evals]
    # Sorting is stable: at the same step the step's row stays first.
    rows = sorted([*steps, *evals, *fold.machine], key=lambda row: row.get("step") or 0)
    return "\n".join([",".join(CSV_COLUMNS), *map(_csv_row, rows)]) + "\n"


def _csv_row(row: Mapping[str, Any]) -> str:
    numbers = (row.get(column) for column in CSV_COLUMNS)
    return ",".join(f"{n:.10g}" if isinstance(n, int | float) else "" for n in numbers)
