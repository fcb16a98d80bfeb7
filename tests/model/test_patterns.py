"""A copied regular expression matches the names it was made of and no other."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.model import open_model
from qwen_ui.model.patterns import pattern_for

NAMES = [parameter.name for parameter in open_model("qwen2.5-1.5b-instruct").parameters]


@given(st.lists(st.sampled_from(NAMES), unique=True))
def test_exactly_the_chosen_names_match(chosen: list[str]) -> None:
    pattern = re.compile(pattern_for(chosen))
    assert {name for name in NAMES if pattern.search(name)} == set(chosen)


def test_names_that_differ_in_their_block_are_gathered() -> None:
    names = [f"model.layers.{i}.self_attn.{x}_proj.bias" for i in (2, 24) for x in "qk"]
    assert pattern_for(names) == (
        r"^model\.layers\.(2|24)\.(self_attn\.q_proj\.bias|self_attn\.k_proj\.bias)$"
    )
