"""Scores of blocks follow from those of their cells."""

from __future__ import annotations

from typing import Any

import pytest

from qwen_ui.rank.scores import Scores, scores_of


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        ("norm", (5.0, 12.0)),
        ("sum", (7.0, 12.0)),
        ("mean", (3.5, 12.0)),
        # a: 3 and 12 over their mean 7.5; b: 4 over itself.
        ("relative", ((3 / 7.5 + 1) / 2, 12 / 7.5)),
    ],
)
def test_blocks_follow_from_their_cells_and_from_the_kinds_that_a_plan_trains(
    total: Any, expected: tuple[float, float]
) -> None:
    cells = {(0, "a"): 3.0, (0, "b"): 4.0, (1, "a"): 12.0}
    scores = scores_of(cells, 2, total, ("c", "d"))
    assert scores.blocks == pytest.approx(expected)
    alone = scores.of_kinds({"b", "c"})
    assert alone.blocks == (1.0 if total == "relative" else 4.0, 0.0)
    assert alone.unranked == ("c",)
    assert scores.of_kinds({"a", "b", "c", "d"}) == scores
    without_kinds = Scores((1.0, 2.0), {})
    assert without_kinds.of_kinds({"a"}) is without_kinds
