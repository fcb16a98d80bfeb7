"""Axolotl's patterns match the chosen names by its own rule, and no other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_ui.errors import PlanError
from qwen_ui.freeze import resolve
from qwen_ui.freeze.export.axolotl import axolotl_patterns
from qwen_ui.freeze.tools.axolotl_pattern import axolotl_matches
from tests.helpers.small_models import CONFIGURATIONS, small_model
from tests.helpers.strategies import plans


@pytest.mark.parametrize("name", CONFIGURATIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_patterns_match_the_chosen_names_and_no_other(name: str, data: st.DataObject) -> None:
    _, anatomy = small_model(name)
    try:
        selection = resolve(data.draw(plans(anatomy)), anatomy)
    except PlanError:
        return
    patterns = axolotl_patterns(selection)
    names = [p.name for p in anatomy.parameters]
    matched = {names[index] for found in axolotl_matches(patterns, names) for index in found}
    assert matched == selection.names
