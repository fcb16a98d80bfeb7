"""Layer expressions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.errors import PlanError
from qwen_ui.freeze import format_layers, parse_layers


@pytest.mark.parametrize(
    ("expression", "indexes"),
    [
        ("all", range(28)),
        ("none", []),
        ("24-27", range(24, 28)),
        ("0,4,8-11", [0, 4, 8, 9, 10, 11]),
        ("last:4", range(24, 28)),
        ("first:4", range(4)),
        ("every:4", range(0, 28, 4)),
        (" Last:2 , 0 ", [0, 26, 27]),
        ("2", [2]),
        ("26-99", [26, 27]),
        ("99", []),
        ("last:99", range(28)),
        ("first:0", []),
        ("last:0", []),
    ],
)
def test_an_expression_names_its_blocks(expression: str, indexes: list[int]) -> None:
    assert parse_layers(expression, 28) == frozenset(indexes)


@pytest.mark.parametrize("wrong", ["", "a", "1-", "-1", "3-1", "every:0", "last:-1", "1;2", "1,,2"])
def test_what_means_nothing_is_refused_with_a_way_out(wrong: str) -> None:
    with pytest.raises(PlanError, match="Write"):
        parse_layers(wrong, 28)


@given(
    count=st.integers(1, 100),
    data=st.data(),
)
def test_formatting_is_the_inverse_of_parsing(count: int, data: st.DataObject) -> None:
    among = data.draw(st.frozensets(st.integers(0, count - 1), min_size=1))
    indexes = data.draw(st.frozensets(st.sampled_from(sorted(among))))
    expression = format_layers(indexes, count, among=among)
    assert parse_layers(expression, count) & among == indexes


def test_the_last_blocks_are_counted_from_the_end_so_that_they_fit_a_deeper_model() -> None:
    assert format_layers(frozenset({24, 25, 26, 27}), 28) == "last:4"
    assert format_layers(frozenset({0, 1}), 28) == "first:2"
    assert format_layers(frozenset({1, 2, 5}), 28) == "1-2,5"
