"""Learning rate as a function of the step: nothing to keep, nothing to restore."""

from __future__ import annotations

import math
from collections.abc import Callable

from qwen_ui.train.spec import Schedule

_RANGE = 5.0


def rate_at(step: int, *, peak: float, steps: int, warmup: int, schedule: Schedule) -> float:
    """The rate of a step, counted from 1: linear warm-up to `peak`, then down to 0 after the last.

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


def range_test_rate(step: int, *, peak: float, steps: int) -> float:
    """The rate of a step of a range test: from peak / 10,000 up to peak x 10, evenly in logarithm.

    After L. Smith, "Cyclical Learning Rates", arXiv 1506.01186, section 3.3.
    """
    return peak * 10.0 ** (-4 + _RANGE * (step - 1) / max(steps - 1, 1))


def steepest_rate(rates: list[float], losses: list[float]) -> float | None:
    """The rate where a range test's smoothed loss falls fastest; None where it never falls.

    Losses after the point at which the loss has risen by half above its best do not count.
    """
    smooth = _smoothed(losses)
    best, end = math.inf, len(smooth)
    for index, loss in enumerate(smooth):
        best = min(best, loss)
        if not loss <= 1.5 * best:
            end = index
            break
    slopes = {i: smooth[i] - smooth[i - 1] for i in range(1, end)}
    steepest = min(slopes, key=lambda i: slopes[i], default=None)
    return rates[steepest] if steepest is not None and slopes[steepest] < 0 else None


def _smoothed(losses: list[float], keep: float = 0.8) -> list[float]:
    average, smooth = 0.0, []
    for count, loss in enumerate(losses, start=1):
        average = keep * average + (1 - keep) * loss
        smooth.append(average / (1 - keep**count))
    return smooth


def rate_of(
    *, peak: float, steps: int, warmup: int, schedule: Schedule, range_test: bool
) -> Callable[[int], float]:
    """The rate of every step of a run."""
    if range_test:
        return lambda step: range_test_rate(step, peak=peak, steps=steps)
    return lambda step: rate_at(step, peak=peak, steps=steps, warmup=warmup, schedule=schedule)
