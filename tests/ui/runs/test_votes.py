"""Blind votes: kept, counted whatever the order shown, and an interval that is honest for few."""

from __future__ import annotations

import json
import random

import pytest

from qwen_ui.ui.runs.votes import add_vote, side_key, tally, votes_file, wilson_interval

A, B = "base", "run@1"


def test_votes_count_for_a_side_wherever_it_stood() -> None:
    add_vote((A, B), "first", "p")
    add_vote((B, A), "second", "p")
    add_vote((B, A), "first", "p")
    add_vote((A, B), "neither", "p")
    add_vote((A, "other@1"), "first", "p")
    found = tally((A, B))
    assert (found["wins"], found["neither"]) == ([2, 1], 1)
    assert tally((B, A))["wins"] == [1, 2]
    assert tally((B, "other@1")) == {"wins": [0, 0], "neither": 0, "interval": None}


def test_lines_that_are_no_votes_are_left_out() -> None:
    add_vote((A, B), "first", "x" * 10_000)
    with votes_file().open("a", encoding="utf-8") as file:
        file.write("not json\n[]\n{}\n" + json.dumps({"sides": [1, 2], "choice": "first"}) + "\n")
        file.write("[" * 5000 + "\n" + json.dumps({"sides": [A, B], "choice": "x"}) + "\n")
    assert tally((A, B))["wins"] == [1, 0]


@pytest.mark.parametrize(("run", "strength", "key"), [("", 1.0, "base"), ("r", 0.0, "base")])
def test_a_run_of_no_strength_is_the_base(run: str, strength: float, key: str) -> None:
    assert side_key(run, strength) == key
    assert side_key("r", 0.5) == "r@0.5"


def test_the_interval_covers_the_true_share() -> None:
    """Nearly as often as it says, also near the ends and for few votes."""
    generator = random.Random(0)
    for share in (0.1, 0.5, 0.9):
        for votes in (5, 20, 100):
            held = 0
            for _ in range(400):
                wins = sum(generator.random() < share for _ in range(votes))
                low, high = wilson_interval(wins, votes)
                assert 0 <= low <= wins / votes <= high <= 1
                held += low <= share <= high
            assert held / 400 > 0.87, (share, votes)
    # R: prop.test(7, 10, correct = FALSE)
    assert wilson_interval(7, 10) == pytest.approx((0.3968, 0.8922), abs=1e-4)
