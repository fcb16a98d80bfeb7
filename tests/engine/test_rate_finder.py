from __future__ import annotations

import random

import pytest

from qwen_ui.engine.rate_finder import finder_message, range_test_rate, steepest_rate

RATES = [range_test_rate(step, peak=1e-2, steps=80) for step in range(1, 81)]


@pytest.mark.parametrize("seed", range(50))
def test_the_steepest_rate_is_found_among_batches_that_differ(seed: int) -> None:
    """The loss falls by 1.5 around 3e-3 and diverges above 5e-2; batches differ by 0.15."""
    chance = random.Random(seed)
    losses = [
        5.8 - 1.5 / (1 + (3e-3 / rate) ** 1.2) + chance.gauss(0, 0.15) + (3 if rate > 5e-2 else 0)
        for rate in RATES
    ]
    found = steepest_rate(RATES, losses)
    assert found is not None
    assert 5e-4 < found < 2e-2
    assert steepest_rate(RATES, [5 + chance.gauss(0, 0.15) for _ in RATES]) is None


def test_a_loss_that_only_rises_has_no_steepest_rate() -> None:
    assert steepest_rate(RATES, [float(i) for i in range(1, 81)]) is None
    assert steepest_rate(RATES[:3], [3.0, 2.0, 1.0]) is None


def test_the_message_names_the_rate_or_says_that_there_is_none() -> None:
    falls = [5 - 2 / (1 + (3e-3 / rate) ** 2) for rate in RATES]
    assert f"{steepest_rate(RATES, falls):.1e}" in finder_message(RATES, falls)
    assert "none: the loss never fell" in finder_message(RATES, [float(i) for i in range(80)])
