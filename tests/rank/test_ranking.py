"""What a ranking says: the highest blocks, a plan of them, agreement with another."""

from __future__ import annotations

import pytest

from qwen_ui.freeze import preset
from qwen_ui.rank import (
    Ranking,
    agreement,
    rank_correlation,
)
from qwen_ui.rank.scores import Scores


def test_the_top_ones_make_a_plan() -> None:
    ranking = Ranking("nano", "gradient", Scores((0.1, 3.0, 0.2, 3.0, 2.0), {}), 8)
    assert ranking.top(3) == (3, 1, 4)
    plan = ranking.plan(preset("bitfit"), 3)
    assert plan.rules[0].layers == "1,3-4"
    assert plan.rules[0].kinds == preset("bitfit").rules[0].kinds
    assert plan.name == "bitfit on 1,3-4"
    assert ranking.record(2)["top"] == [3, 1]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3], [10, 20, 30], 1),
        ([1, 2, 3], [3, 2, 1], -1),
        ([1, 1, 1], [1, 2, 3], 0),
        ([1, 2, 3, 4], [1, 3, 2, 4], 0.8),
    ],
)
def test_agreement_is_spearmans(first: list[float], second: list[float], expected: float) -> None:
    assert rank_correlation(first, second) == pytest.approx(expected)


def test_agreement_is_a_symmetric_matrix() -> None:
    rankings = [
        Ranking("nano", str(i), Scores(blocks, {}), 1)
        for i, blocks in enumerate([(1.0, 2.0, 3.0), (3.0, 2.0, 1.0), (0.1, 0.2, 0.4)])
    ]
    expected = [[1, -1, 1], [-1, 1, -1], [1, -1, 1]]
    for row, line in zip(agreement(rankings), expected, strict=True):
        assert row == pytest.approx(line)
