"""Which rate is tried next, and which is best, on curves whose best is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from qwen_ui.engine.rate_finder import (
    FACTOR,
    FEWEST_TRIALS,
    HIGHEST_RATE,
    MOST_TRIALS,
    best_rate,
    next_rate,
    search_steps,
    trial_steps,
)

BEFORE = 5.0
STEPS = 10  # so many are tried whole: nothing is scaled


def valley(best: float, cliff: float = math.inf) -> Callable[[float], float | None]:
    """A loss that is lowest at a rate and diverges above another."""

    def loss(rate: float) -> float | None:
        return None if rate > cliff else 4.0 + 0.5 * math.log10(rate / best) ** 2

    return loss


def searched(loss: Callable[[float], float | None], first: float) -> dict[float, float | None]:
    losses: dict[float, float | None] = {}
    while (rate := next_rate(losses, first)) is not None:
        assert rate not in losses
        losses[rate] = loss(rate)
    return losses


@pytest.mark.parametrize("first", [1e-4, 1e-3, 3e-3, 2e-2])
def test_the_climb_ends_around_the_best(first: float) -> None:
    losses = searched(valley(2e-3), first)
    found = best_rate(losses, BEFORE, STEPS)
    assert found == pytest.approx(2e-3, rel=0.1)
    assert FEWEST_TRIALS <= len(losses) <= MOST_TRIALS


def test_a_cliff_above_the_best_keeps_the_rate_from_it() -> None:
    losses = searched(valley(2e-3, cliff=4e-3), 2e-3)
    found = best_rate(losses, BEFORE, STEPS)
    assert found is not None
    assert 1e-3 < found < 3e-3


def test_where_all_rates_diverge_or_gain_nothing_none_is_found() -> None:
    assert best_rate(searched(lambda rate: None, 1.0), BEFORE, STEPS) is None
    flat = searched(lambda rate: BEFORE, 1.0)
    assert best_rate(flat, BEFORE, STEPS) is None
    assert len(flat) <= MOST_TRIALS
    assert best_rate({1.0: math.nan, 2.0: 6.0}, BEFORE, STEPS) is None


def test_no_rate_is_tried_that_a_run_could_not_take() -> None:
    losses = searched(valley(100.0), 2.0)
    assert max(losses) == HIGHEST_RATE
    assert best_rate(losses, BEFORE, STEPS) == HIGHEST_RATE
    assert next_rate({}, 50.0) == HIGHEST_RATE


def test_rates_are_half_a_decade_apart() -> None:
    low, middle, high = sorted(searched(valley(1e-3), 1e-3))
    assert high / middle == pytest.approx(FACTOR, rel=0.05)
    assert middle / low == pytest.approx(FACTOR, rel=0.05)


def test_a_longer_run_takes_a_lower_rate_than_its_trials() -> None:
    losses = searched(valley(2e-3), 2e-3)
    rates = [best_rate(losses, BEFORE, steps) or 0 for steps in (10, 40, 4000)]
    assert rates[0] > rates[1] > rates[2] > 0


@pytest.mark.parametrize("steps", [1, 5, 40, 200, 10_000])
def test_trials_are_a_part_of_the_run(steps: int) -> None:
    assert 1 <= trial_steps(steps) <= steps
    assert search_steps(steps) == FEWEST_TRIALS * trial_steps(steps)
    assert search_steps(steps, trials=5) == 6 * trial_steps(steps)
