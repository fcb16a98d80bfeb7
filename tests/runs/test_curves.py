"""Lines of a chart from events: the same however the events were cut into batches."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.runs import AXES, Axis, Carry, lines_of
from qwen_ui.runs.curves import SERIES
from tests.helpers.run_events import evaluation, fold_of, kept, step


@pytest.mark.parametrize("axis", AXES)
@given(
    losses=st.lists(st.floats(0, 10) | st.none(), min_size=2, max_size=30),
    cut=st.integers(0, 30),
)
def test_two_batches_draw_what_one_draws(axis: Axis, losses: list[float | None], cut: int) -> None:
    events = [step(n, loss) for n, loss in enumerate(losses, start=1)]
    whole = lines_of(fold_of(events), axis=axis)
    carry = Carry()
    first = lines_of(fold_of(events[:cut]), carry, axis=axis)
    # Through a browser and back.
    second = lines_of(fold_of(events[cut:]), Carry.of(carry.record()), axis=axis)
    for name in SERIES:
        assert first[name][0] + second[name][0] == whole[name][0]
        assert first[name][1] + second[name][1] == whole[name][1]


def test_the_smoothed_line_is_a_debiased_mean() -> None:
    lines = lines_of(fold_of([step(1, 4.0), step(2, 2.0)]), smoothing=0.5)
    assert lines["smooth"][1] == [4.0, pytest.approx((0.25 * 4 + 0.5 * 2) / 0.75)]
    assert lines_of(fold_of([step(1, 4.0), step(2, 2.0)]), smoothing=0.0)["smooth"][1] == [4.0, 2.0]


def test_throughput_is_new_tokens_by_seconds() -> None:
    assert lines_of(fold_of([step(1), step(2)]))["tokens_per_second"][1] == [200, 200]


def test_a_loss_that_is_no_number_is_a_gap() -> None:
    lines = lines_of(fold_of([step(1), step(2, None), step(3)]))
    assert lines["loss"][1] == [2.0, None, 2.0]
    assert lines["smooth"][0] == [1, 3]


def test_an_evaluation_stands_where_its_step_does() -> None:
    events = [step(1), evaluation(1, 3.0)]
    places: tuple[tuple[Axis, float], ...] = (("step", 1), ("tokens", 100), ("elapsed", 0.5))
    for axis, x in places:
        assert lines_of(fold_of(events), axis=axis)["eval"] == ([x], [3.0])


def test_what_is_lost_of_a_text_to_keep_is_a_line_of_the_runs_that_have_one() -> None:
    events = [kept(0, 3.3, 0.0), step(1), kept(1, 3.5, 0.1), evaluation(1, 3.0)]
    lines = lines_of(fold_of(events))
    assert (lines["keep_loss"], lines["kl"]) == (([0, 1], [3.3, 3.5]), ([0, 1], [0.0, 0.1]))
    without = lines_of(fold_of([step(1), evaluation(1, 3.0)]))
    assert without["keep_loss"] == without["kl"] == ([], [])


@pytest.mark.parametrize("nonsense", [None, 3, "x", {"sum": "a"}, {"sum": math.nan, "step": True}])
def test_what_a_browser_sends_back_is_not_trusted(nonsense: Any) -> None:
    assert Carry.of(nonsense) == Carry()


def test_only_the_lines_that_are_asked_for_are_made() -> None:
    assert lines_of(fold_of([step(1)]), only=("eval", "loss")).keys() == {"eval", "loss"}


def test_a_figure_that_no_step_has_is_no_line() -> None:
    lines = lines_of(fold_of([step(1, gradient_norm=None), step(2)]))
    assert lines["memory_bytes"] == ([], [])
    assert lines["gradient_norm"] == ([1, 2], [None, 1.0])
