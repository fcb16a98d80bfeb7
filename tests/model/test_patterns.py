"""A regular expression made of names matches these and no other name of the model."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_ui.model import Anatomy, block_pattern, open_model, pattern_for
from tests.helpers.small_models import CONFIGURATIONS, small_model
from tests.helpers.strategies import name_sets

NAMES = [parameter.name for parameter in open_model("qwen2.5-1.5b-instruct").parameters]


@given(st.lists(st.sampled_from(NAMES), unique=True))
def test_exactly_the_chosen_names_match(chosen: list[str]) -> None:
    pattern = re.compile(pattern_for(chosen))
    assert {name for name in NAMES if pattern.search(name)} == set(chosen)


@pytest.mark.parametrize("family", CONFIGURATIONS)
@given(data=st.data())
def test_exactly_the_chosen_names_match_in_every_family(family: str, data: st.DataObject) -> None:
    _, anatomy = small_model(family)
    chosen = data.draw(name_sets(anatomy))
    pattern = re.compile(pattern_for(chosen))
    for search in (pattern.search, pattern.match, pattern.fullmatch):
        assert {p.name for p in anatomy.parameters if search(p.name)} == chosen


def test_names_that_differ_in_their_block_are_gathered() -> None:
    names = [f"model.layers.{i}.self_attn.{x}_proj.bias" for i in (24, 2) for x in "qk"]
    assert pattern_for(names) == (
        r"^model\.layers\.(2|24)\.(self_attn\.q_proj\.bias|self_attn\.k_proj\.bias)$"
    )


def test_block_two_is_not_twenty() -> None:
    pattern = pattern_for(name for name in NAMES if name.startswith("model.layers.2.self_attn.q"))
    assert len([name for name in NAMES if re.search(pattern, name)]) == 2


def test_the_index_of_a_block_is_read_from_a_name(qwen: Anatomy) -> None:
    pattern = re.compile(block_pattern(qwen.stack))
    for parameter in qwen.parameters:
        found = pattern.match(parameter.name)
        assert (int(found[1]) if found else None) == parameter.block
