"""A comparison as it is made and written down."""

from __future__ import annotations

from typing import Any

import pytest

from qwen_ui.compare import (
    latest_comparison,
    make_comparison,
    parse_plans,
    read_comparison,
)
from qwen_ui.errors import RunError, SettingsError
from qwen_ui.freeze import preset
from tests.helpers.settings import SETTINGS


def test_every_plan_and_seed_is_an_entry() -> None:
    plans = parse_plans("attention, mlp@first:2+last:2")
    comparison = make_comparison(
        "nano", plans, seeds=(0, 1), learning_rates=(1e-3, None), **SETTINGS
    )
    assert comparison.labels == ("attention on last:4", "mlp on first:2,last:2")
    assert [(e.label[:3], e.seed) for e in comparison.entries] == [
        ("att", 0),
        ("mlp", 0),
        ("att", 1),
        ("mlp", 1),
    ]
    assert [e.spec.optimization.learning_rate for e in comparison.entries] == [
        1e-3,
        None,
        1e-3,
        None,
    ]
    (search,) = comparison.searches
    assert search.label == "mlp on first:2,last:2"
    assert search.spec == comparison.entries[1].spec.finder()
    assert search.seed not in (0, 1)
    first, second = (entry.spec for entry in comparison.entries[:2])
    assert second.changed(plan=first.plan, learning_rate=1e-3) == first
    assert comparison.runs == ()
    assert read_comparison(comparison.name) == comparison


def test_rates_are_found_unless_they_are_given_or_nobody_wants_it() -> None:
    plans = parse_plans("attention,bitfit")
    assert len(make_comparison("nano", plans, **SETTINGS).searches) == 2
    for given in ({"learning_rates": (1e-3, 1e-2)}, {"find_rates": False}):
        assert make_comparison("nano", plans, **given, **SETTINGS).searches == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"plans": [preset("attention")]},
        {"plans": [preset("attention"), preset("attention")]},
        {"plans": parse_plans("attention,bitfit"), "seeds": ()},
        {"plans": parse_plans("attention,bitfit"), "seeds": (1, 1)},
        {"plans": parse_plans("attention,bitfit"), "seeds": range(100)},
        {"plans": parse_plans("attention,bitfit"), "learning_rates": (1e-3,)},
    ],
)
def test_what_cannot_be_compared_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        make_comparison("nano", **wrong, **SETTINGS)
    assert latest_comparison() is None


def test_a_name_that_is_no_comparison_is_a_sentence() -> None:
    with pytest.raises(RunError, match="no comparison"):
        read_comparison("../../etc")
