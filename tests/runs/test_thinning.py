"""Thinning keeps what a line looks like."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.runs import thinned


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
