from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.engine.rates import suggest_learning_rate
from qwen_ui.engine.schedule import range_test_rate, rate_at, steepest_rate
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import open_model


@pytest.mark.parametrize(
    ("model", "plan", "rate"),
    [
        ("qwen2.5-1.5b-instruct", "bitfit", 1e-3),
        ("qwen2.5-1.5b-instruct", "full", 1e-5),
        ("nano", "bitfit", 3e-1),
        ("nano", "attention", 1e-2),
        ("nano", "full", 1e-3),
    ],
)
def test_the_suggestion_goes_by_plan_and_size_and_names_its_source(model, plan, rate):
    suggested = suggest_learning_rate(resolve(preset(plan), open_model(model)))
    assert suggested.rate == rate
    assert len(suggested.source) > 10


@given(
    steps=st.integers(1, 200),
    share=st.floats(0, 1),
    schedule=st.sampled_from(["cosine", "linear", "constant"]),
)
def test_the_rate_rises_to_its_peak_and_never_above(steps, share, schedule):
    warmup = int(share * steps)
    rates = [
        rate_at(step, peak=1.0, steps=steps, warmup=warmup, schedule=schedule)
        for step in range(1, steps + 1)
    ]
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert max(rates) == pytest.approx(1.0)


RATES = [range_test_rate(step, peak=1e-2, steps=80) for step in range(1, 81)]


@pytest.mark.parametrize("seed", range(50))
def test_the_steepest_rate_is_found_among_batches_that_differ(seed: int):
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


def test_a_loss_that_only_rises_has_no_steepest_rate():
    assert steepest_rate(RATES, [float(i) for i in range(1, 81)]) is None
    assert steepest_rate(RATES[:3], [3.0, 2.0, 1.0]) is None
