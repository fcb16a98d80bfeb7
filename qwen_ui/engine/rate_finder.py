"""The learning-rate finder: a range test, and the rate at which its loss falls fastest.

After L. Smith, "Cyclical Learning Rates", arXiv 1506.01186, section 3.3.
"""

from __future__ import annotations

import math
from statistics import median

import numpy as np

# The range spans so many powers of ten: from peak / 10,000 to peak x 10.
DECADES = 5.0
# Steps that a line is fitted to at least, and standard errors by which its slope has to fall.
MIN_STRETCH, MIN_ERRORS = 5, 4.0
SMOOTHING = 0.8


def range_test_rate(step: int, *, peak: float, steps: int) -> float:
    """The rate of a step, counted from 1: from peak / 10,000 to peak x 10, evenly in logarithm."""
    return peak * 10.0 ** (1 - DECADES + DECADES * (step - 1) / max(steps - 1, 1))


def steepest_rate(rates: list[float], losses: list[float]) -> float | None:
    """The rate around which the loss falls fastest; None where it never falls.

    A line is fitted to every stretch over which the rate grows tenfold: batches differ by more than
    a step gains, so that the fastest step is chance. Losses after the point at which the smoothed
    loss has risen by half above its best do not count; a fall of less than four
    standard errors is none, since the steepest of many stretches is looked for.
    """
    end = _before_divergence(losses)
    decades = math.log10(rates[-1] / rates[0]) if len(rates) > 1 else 0.0
    width = max(MIN_STRETCH, round(len(rates) / max(decades, 1.0)))
    lines = [_line(losses[first : first + width]) for first in range(end - width + 1)]
    if not lines:
        return None
    first = min(range(len(lines)), key=lambda i: lines[i][0])
    error = median(error for _, error in lines)
    return rates[first + width // 2] if lines[first][0] < -MIN_ERRORS * error else None


def finder_message(rates: list[float], losses: list[float]) -> str:
    """What a finder found, as a sentence for the run's log."""
    best = steepest_rate(rates, losses)
    found = f"{best:.1e}" if best else "none: the loss never fell"
    return f"The loss falls fastest at a learning rate of {found}."


def _before_divergence(losses: list[float]) -> int:
    """How many losses there are before the smoothed one is half above its best."""
    best = math.inf
    for index, loss in enumerate(_smoothed(losses)):
        best = min(best, loss)
        if not loss <= 1.5 * best:
            return index
    return len(losses)


def _line(losses: list[float]) -> tuple[float, float]:
    """Slope per step of the least-squares line through these losses, and its standard error."""
    coefficients, covariance = np.polyfit(range(len(losses)), losses, 1, cov=True)
    return float(coefficients[0]), float(covariance[0, 0]) ** 0.5


def _smoothed(losses: list[float]) -> list[float]:
    average, smooth = 0.0, []
    for count, loss in enumerate(losses, start=1):
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        smooth.append(average / (1 - SMOOTHING**count))
    return smooth
