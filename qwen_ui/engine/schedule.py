"""Learning rate as a function of the step: nothing to keep, nothing to restore."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

import numpy as np

from qwen_ui.runs import Schedule

_RANGE = 5.0
MIN_STRETCH, SURE = 5, 4.0


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
    """The rate around which a range test's loss falls fastest; None where it never falls.

    A line is fitted to every stretch over which the rate grows tenfold: batches differ by more than
    a step gains, so that the fastest step is chance. Losses after the point at which the smoothed
    loss has risen by half above its best do not count; a fall of less than four
    standard errors is none, since the steepest of many stretches is looked for.
    """
    end = _before_it_diverges(losses)
    decades = math.log10(rates[-1] / rates[0]) if len(rates) > 1 else 0.0
    width = max(MIN_STRETCH, round(len(rates) / max(decades, 1.0)))
    lines = [_line(losses[first : first + width]) for first in range(end - width + 1)]
    if not lines:
        return None
    first = min(range(len(lines)), key=lambda i: lines[i][0])
    error = median(error for _, error in lines)
    return rates[first + width // 2] if lines[first][0] < -SURE * error else None


def _before_it_diverges(losses: list[float]) -> int:
    """How many losses there are before the smoothed one is half above its best."""
    best = math.inf
    for index, loss in enumerate(_smoothed(losses)):
        best = min(best, loss)
        if not loss <= 1.5 * best:
            return index
    return len(losses)


def _line(losses: list[float]) -> tuple[float, float]:
    """Slope of the line of least squares through these losses, a step, and its standard error."""
    coefficients, covariance = np.polyfit(range(len(losses)), losses, 1, cov=True)
    return float(coefficients[0]), float(covariance[0, 0]) ** 0.5


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
