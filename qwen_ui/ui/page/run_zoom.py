"""The part of a run's curves that a person has zoomed to, with all that lies between."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from qwen_ui.runs import Axis, fold_run, lines_of, run_folder, shown_lines

Smoothing = Annotated[float, Field(ge=0, lt=1)]
Place = Annotated[float, Field(allow_inf_nan=False)]


def zoomed(
    run: str, low: Place, high: Place, smoothing: Smoothing = 0.9, axis: Axis = "step"
) -> dict[str, Any]:
    """The lines of a run from `low` to `high`, thinned by themselves.

    Args:
        run: its name.
        low, high: of the axis.
        smoothing: share of the past in the running mean of the loss.
        axis: what the lines' x is.
    """
    lines = lines_of(fold_run(run_folder(run)), axis=axis, smoothing=smoothing)
    return {"lines": shown_lines(lines, (low, high))}
