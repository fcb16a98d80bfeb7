from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.freeze import preset, resolve
from qwen_ui.model import open_model
from qwen_ui.train.rates import suggest_learning_rate
from qwen_ui.train.schedule import rate_at, steepest_rate


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


def test_the_steepest_rate_is_where_the_loss_falls_fastest():
    rates = [10.0**i for i in range(-8, 0)]
    assert steepest_rate(rates, [5, 5, 5, 4, 2, 1.9, 1.9, 9]) == rates[4]
    assert steepest_rate(rates, [1, 2, 3, 4, 5, 6, 7, 8]) is None
