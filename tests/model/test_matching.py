"""A person's patterns: exactly what `re` says, or a sentence within bounds."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, import_plan, resolve
from qwen_ui.model import check_pattern, match_names, open_model
from qwen_ui.ui.freeze.actions import match

NANO = open_model("nano")
NAMES = tuple(NANO.by_name)
PARTS = ("model", "layers", r"\.", r"\d+", "2[0-7]", "(q|k)", "mlp", "bias", *".$^?*+")
# Names on which a backtracking matcher tries exponentially many ways.
LONG = ("w" * 60 + ".",)
STUCK = {
    "of the issue": r"^(\w+\.?)+bias$",
    "letters": r"^([a-z]+)*$",
    "alternatives": r"^(\w|\w\w)+!$",
    "lookahead": r"^(?=(\w+\.?)+!)",
    "anything": r"^(\w|\w\w|\W)+!$",
    "backreference": r"^(\w+\.?)+\1!$",
    "at compiling": "(?i)" + "[\0-\uffff]" * 390,
}


@pytest.mark.parametrize("pattern", STUCK.values(), ids=STUCK)
def test_a_pattern_that_would_hold_the_interpreter_ends_as_a_sentence(pattern: str) -> None:
    started = time.process_time()
    with pytest.raises(PlanError):
        match_names([pattern], NAMES + LONG)
    # Of this process: what the pattern took was another's.
    assert time.process_time() - started < 3
    assert match_names([r"\.26\.mlp\.up"], NAMES) == [[NAMES.index(_up(26))]]


def _up(block: int) -> str:
    return f"model.layers.{block}.mlp.up_proj.weight"


@pytest.mark.parametrize("method", ["search", "match"])
@settings(max_examples=60)
@given(
    pattern=st.one_of(
        st.lists(st.sampled_from(PARTS), max_size=6).map("".join), st.text(max_size=12)
    )
)
def test_what_matches_is_what_re_says(method: Any, pattern: str) -> None:
    try:
        test = getattr(re.compile(pattern), method)
    except re.error:
        with pytest.raises(PlanError, match="not a valid regular expression"):
            match_names([pattern], NAMES, method=method)
        return
    expected = [index for index, name in enumerate(NAMES) if test(name)]
    assert match_names([pattern], NAMES, method=method) == [expected]


def test_several_patterns_and_other_names_in_turn() -> None:
    assert match_names([], NAMES) == []
    assert match_names(["a", "b", "^c$"], ("a", "ab")) == [[0, 1], [1], []]
    assert match_names(["a"], ("x", "a")) == [[1]]
    check_pattern("a|b")


def test_which_pattern_is_wrong_is_said() -> None:
    with pytest.raises(PlanError, match=r"'\(q\|' is not a valid regular expression"):
        match_names(["fine", "(q|"], NAMES)
    with pytest.raises(PlanError, match=r"has 2,001 characters; 2,000 are the limit"):
        check_pattern("a" * 2001)


def test_threads_wait_for_each_other() -> None:
    answers: dict[int, list[list[int]]] = {}

    def ask(block: int) -> None:
        answers[block] = match_names([rf"\.{block}\.mlp\.up"], NAMES)

    threads = [threading.Thread(target=ask, args=(block,)) for block in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {block: [[NAMES.index(_up(block))]] for block in range(20)}


def test_every_way_in_is_bounded() -> None:
    """The page's box, a plan's file or link, an import of Axolotl's list."""
    pattern = STUCK["of the issue"]
    with pytest.raises(PlanError, match="took too long"):
        match(NANO, pattern)
    plan = {"schema": 1, "rules": [{"train": True, "regex": pattern}]}
    with pytest.raises(PlanError, match="took too long"):
        resolve(FreezePlan.from_dict(plan), NANO)
    with pytest.raises(PlanError, match="took too long"):
        FreezePlan.from_dict({"schema": 1, "rules": [{"regex": STUCK["at compiling"]}]})
    with pytest.raises(PlanError, match="took too long"):
        import_plan(f"unfrozen_parameters:\n  - {STUCK['anything']}\n", NANO)
    many = {"schema": 1, "rules": [{"regex": pattern + "|" * n} for n in range(50)]}
    with pytest.raises(PlanError, match="and 49 more took too long"):
        resolve(FreezePlan.from_dict(many), NANO)
