"""Learning rate as a function of the step: no state to hold, none to restore."""

from __future__ import annotations

import math
from collections.abc import Callable

from qwen_ui.runs import OptimizationSettings, Schedule


def rate_at(step: int, *, peak: float, steps: int, warmup: int, schedule: Schedule) -> float:
    """The rate of a step, counted from 1: linear warmup to `peak`, then down to 0 after the last.

    The cosine is SGDR's without restarts (arXiv 1608.03983, eq. 5).
    """
    if step <= warmup:
        return peak * step / warmup
    if schedule == "constant":
        return peak
    progress = (step - warmup - 1) / max(steps - warmup, 1)
    if schedule == "linear":
        return peak * (1 - progress)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))


def rate_of(settings: OptimizationSettings, peak: float) -> Callable[[int], float]:
    """The rate of every step of a run with this peak."""
    steps = settings.steps
    warmup, schedule = settings.warmup, settings.schedule
    return lambda step: rate_at(step, peak=peak, steps=steps, warmup=warmup, schedule=schedule)
