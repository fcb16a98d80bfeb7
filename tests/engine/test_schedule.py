from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.engine.schedule import rate_at, rate_of
from qwen_ui.runs import OptimizationSettings, Schedule


@given(
    steps=st.integers(1, 200),
    share=st.floats(0, 1),
    schedule=st.sampled_from(["cosine", "linear", "constant"]),
)
def test_the_rate_rises_to_its_peak_and_never_above(
    steps: int, share: float, schedule: Schedule
) -> None:
    warmup = int(share * steps)
    rates = [
        rate_at(step, peak=1.0, steps=steps, warmup=warmup, schedule=schedule)
        for step in range(1, steps + 1)
    ]
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[:warmup] == sorted(rates[:warmup])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert max(rates) == pytest.approx(1.0)


def test_the_rate_of_a_run_is_that_of_its_settings() -> None:
    plain = rate_of(OptimizationSettings(steps=10, warmup_steps=2, schedule="constant"), 1e-3)
    assert [plain(step) for step in (1, 2, 10)] == [5e-4, 1e-3, 1e-3]
