"""Lines of a chart from events: the same however the events were cut into batches."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.runs import AXES, Carry, csv_of, lines_of, thinned
from qwen_ui.runs.curves import SERIES, Line


def step(n: int, loss: float | None = 2.0, **more: Any) -> dict[str, Any]:
    event = {"event": "step", "step": n, "loss": loss, "seconds": 0.5, "tokens": 100 * n}
    return {**event, "elapsed": 0.5 * n, "gradient_norm": 1.0, **more}


def y_of(line: Line) -> list[float | None]:
    return line[1]


@pytest.mark.parametrize("axis", AXES)
@given(
    losses=st.lists(st.floats(0, 10) | st.none(), min_size=2, max_size=30),
    cut=st.integers(0, 30),
)
def test_two_batches_draw_what_one_draws(axis: str, losses: list[float | None], cut: int) -> None:
    events = [step(n, loss) for n, loss in enumerate(losses, start=1)]
    whole = lines_of(events, Carry(), axis=axis)
    carry = Carry()
    first = lines_of(events[:cut], carry, axis=axis)
    # Through a browser and back.
    second = lines_of(events[cut:], Carry.of(carry.record()), axis=axis)
    for name in SERIES:
        assert first[name][0] + second[name][0] == whole[name][0]
        assert first[name][1] + second[name][1] == whole[name][1]


def test_the_smoothed_line_is_a_debiased_mean() -> None:
    lines = lines_of([step(1, 4.0), step(2, 2.0)], Carry(), smoothing=0.5)
    assert lines["smooth"][1] == [4.0, pytest.approx((0.25 * 4 + 0.5 * 2) / 0.75)]
    assert lines_of([step(1, 4.0), step(2, 2.0)], Carry(), smoothing=0.0)["smooth"][1] == [4.0, 2.0]


def test_throughput_is_new_tokens_by_seconds() -> None:
    assert y_of(lines_of([step(1), step(2)], Carry())["tokens_per_second"]) == [200, 200]


def test_a_loss_that_is_no_number_is_a_gap() -> None:
    lines = lines_of([step(1), step(2, None), step(3)], Carry())
    assert lines["loss"][1] == [2.0, None, 2.0]
    assert lines["smooth"][0] == [1, 3]


def test_an_evaluation_stands_where_its_step_does() -> None:
    events = [step(1), {"event": "eval", "step": 1, "loss": 3.0}]
    for axis, x in (("step", 1), ("tokens", 100), ("elapsed", 0.5)):
        assert lines_of(events, Carry(), axis=axis)["eval"] == ([x], [3.0])


def test_steps_done_again_are_drawn_once() -> None:
    events = [step(1), step(2), step(3, 9.0), {"event": "start", "step": 2}, step(3, 1.0)]
    assert lines_of(events, Carry())["loss"] == ([1, 2, 3], [2.0, 2.0, 1.0])


@given(
    st.lists(st.floats(-1e6, 1e6) | st.none(), min_size=1, max_size=500),
    st.integers(4, 60),
)
def test_thinning_keeps_ends_and_extremes(values: list[float | None], most: int) -> None:
    x = [float(i) for i in range(len(values))]
    thin_x, thin_y = thinned((x, values), most)
    assert len(thin_x) == len(thin_y) <= max(most, 4)
    assert (thin_x[0], thin_x[-1]) == (x[0], x[-1])
    assert thin_x == sorted(set(thin_x))
    assert all(values[int(at)] == value for at, value in zip(thin_x, thin_y, strict=True))
    finite = [value for value in values if value is not None]
    if finite:
        kept = [value for value in thin_y if value is not None]
        assert (min(kept), max(kept)) == (min(finite), max(finite))


@pytest.mark.parametrize("nonsense", [None, 3, "x", {"sum": "a"}, {"sum": math.nan, "step": True}])
def test_what_a_browser_sends_back_is_not_trusted(nonsense: Any) -> None:
    assert Carry.of(nonsense) == Carry()


def test_csv_has_a_row_a_record() -> None:
    text = csv_of([step(1), {"event": "eval", "step": 1, "loss": 3.0}, {"event": "log"}])
    head, first, second = text.splitlines()
    assert head.split(",")[:2] == ["step", "epoch"]
    row = dict(zip(head.split(","), first.split(","), strict=True))
    assert (row["step"], row["loss"], row["eval_loss"]) == ("1", "2", "")
    row = dict(zip(head.split(","), second.split(","), strict=True))
    assert (row["loss"], row["eval_loss"]) == ("", "3")
