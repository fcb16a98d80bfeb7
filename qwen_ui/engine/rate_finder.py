"""The learning-rate finder's arithmetic: which rate to try next, and which one is best.

The rates tried are short runs of the person's own plan, data and batch, each with the whole of its
schedule. They climb from the suggested rate, half a decade at a time, until the best lies between
two others. Why not a range test (Smith, arXiv 1506.01186), what a short run says of a long one, and
how near the best the rate found comes: docs/rates.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

FACTOR = 10**0.5
HIGHEST_RATE = 10.0  # `OptimizationSettings` takes none above
FEWEST_TRIALS, MOST_TRIALS = 3, 8  # one between two others, at least
# The best rate of short runs hardly depends on their length; beyond so many steps it falls with the
# square root (docs/rates.md).
LEVEL_STEPS = 80
# A trial has this share of the run's steps, and these bounds.
SHARE, FEWEST_STEPS, MOST_STEPS = 0.25, 10, 100

Losses = Mapping[float, float | None]
"""Evaluation loss by the rate that was tried (nats per token); None where it diverged."""


def trial_steps(steps: int) -> int:
    """How many steps each trial has for a run of so many."""
    return min(steps, MOST_STEPS, max(FEWEST_STEPS, round(SHARE * steps)))


def search_steps(steps: int, trials: int = 0) -> int:
    """Steps of all trials together, for a run of so many, as far as they can be foreseen.

    Args:
        trials: how many are over.
    """
    return trial_steps(steps) * max(FEWEST_TRIALS, trials + 1)


def next_rate(losses: Losses, first: float) -> float | None:
    """The rate to try next; None where the best lies between two others, or enough are tried.

    Args:
        first: where to begin.
    """
    if not losses:
        return _round(first)
    if len(losses) >= MOST_TRIALS:
        return None
    best = _best(losses)
    tried = sorted(losses)
    if best == tried[0]:
        return _round(best / FACTOR)
    if best == tried[-1]:
        # The last one may go as far as it can.
        above = _round(best * FACTOR)
        return None if above == best else above
    return None


def best_rate(losses: Losses, before: float, steps: int) -> float | None:
    """The best rate for a run of so many steps, from the trials of `trial_steps(steps)` steps.

    It is the one with the lowest loss, moved to where a parabola through its neighbours is lowest,
    and lowered by as much as longer runs want lower rates.

    Args:
        losses: what the trials came to.
        before: evaluation loss of the untouched model.

    Returns:
        None where no rate lowered the loss.
    """
    best = _best(losses)
    lowest = losses[best]
    if lowest is None or lowest >= before:
        return None
    tried = sorted(losses)
    place = tried.index(best)
    if 0 < place < len(tried) - 1:
        # A rate at which the loss rose, or diverged, says no more than that it gains nothing.
        ends = [_capped(losses[tried[place + side]], before) for side in (-1, 1)]
        best *= FACTOR ** _lowest_point(ends[0], lowest, ends[1])
    return _round(best * by_length(steps) / by_length(trial_steps(steps)))


def by_length(steps: int) -> float:
    """How much lower a rate a run of so many steps wants than the shortest."""
    return float((1 + steps / LEVEL_STEPS) ** -0.5)


def _round(rate: float) -> float:
    """To two digits, as a person would write it."""
    return min(float(f"{rate:.1e}"), HIGHEST_RATE)


def _best(losses: Losses) -> float:
    return min(losses, key=lambda rate: _capped(losses[rate], math.inf))


def _capped(loss: float | None, most: float) -> float:
    return most if loss is None or not math.isfinite(loss) else min(loss, most)


def _lowest_point(left: float, middle: float, right: float) -> float:
    """Where a parabola through the values at -1, 0 and 1 is lowest; `middle` is below both."""
    bend = left - 2 * middle + right
    return 0.5 * (left - right) / bend if bend > 0 else 0.0
