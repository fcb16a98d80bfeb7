"""Thinning keeps what a line looks like."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.runs import MOST_POINTS, shown_lines
from qwen_ui.runs.thinning import Line, thinned, within


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


def test_a_part_is_thinned_by_itself_with_a_point_on_either_side() -> None:
    x = [float(n) for n in range(10_000)]
    y: list[float | None] = [0.0] * 10_000
    y[5_003] = 9.0
    line: Line = (x, y)
    assert within(line, 10, 12.5) == ([9, 10, 11, 12, 13], [0.0] * 5)
    assert within(line, -5, 0) == ([0, 1], [0.0, 0.0])
    assert within(line, 99_999, 100_000)[0] == [9_999]
    shown = shown_lines({"loss": line, "eval": ([], [])}, (5_000, 5_010))
    assert shown.keys() == {"loss"}
    assert shown["loss"][0] == list(range(4_999, 5_012)), "every step of a short part"
    whole = shown_lines({"loss": line})["loss"]
    assert len(whole[0]) <= MOST_POINTS
    assert 9.0 in whole[1], "an extreme is never lost"
