"""An export that is read back trains the same names, or says that its tool cannot express them."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, Selection, export_formats, export_text, preset, resolve
from qwen_ui.freeze.lint import lint_text
from qwen_ui.model import Anatomy, open_model
from tests.helpers.small_models import CONFIGURATIONS
from tests.helpers.strategies import name_sets, plans
from tests.helpers.tiny_families import tiny_configuration

FORMATS = tuple(export_formats())
ADAPTERS = ("peft", "unsloth", "torchtune")
FAST = ("qwen2", "gpt2", "qwen2_moe")


@cache
def anatomy_of(name: str) -> Anatomy:
    made = CONFIGURATIONS.get(name)
    return open_model(tiny_configuration(name) if made is None else made())


def read_back(selection: Selection, format: str) -> bool:
    """Whether the tool can say it; the names are then the same."""
    text = export_text(selection, format)
    if text.startswith("#") and "cannot express this plan" in text:
        return False
    found = lint_text(text, selection.anatomy, export_formats()[format].file_name)
    assert found.names == selection.names, text
    assert not found.errors, (text, found.errors)
    return True


def some_selection(anatomy: Anatomy, data: st.DataObject) -> Selection | None:
    if data.draw(st.booleans()):
        names = sorted(data.draw(name_sets(anatomy)))
        plan = FreezePlan.from_dict({"schema": 1, "rules": [{"names": names}] if names else []})
    else:
        plan = data.draw(plans(anatomy))
    try:
        selection = resolve(plan, anatomy)
    except PlanError:
        return None
    # What a rule names and the model lacks is told when the plan is read; not what is asked here.
    if not selection.names:
        return None
    rules = [{"names": sorted(selection.names)}]
    return resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), anatomy)


@pytest.mark.parametrize("name", FAST)
@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_exported_is_read_back_the_same(name: str, data: st.DataObject) -> None:
    selection = some_selection(anatomy_of(name), data)
    if selection is None:
        return
    for format in FORMATS:
        assert read_back(selection, format) or format in (*ADAPTERS, "llama-factory")


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", [*CONFIGURATIONS, "qwen3_moe"])
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_exported_is_read_back_the_same_on_more(name: str, data: st.DataObject) -> None:
    selection = some_selection(anatomy_of(name), data)
    if selection is None:
        return
    for format in FORMATS:
        assert read_back(selection, format) or format in (*ADAPTERS, "llama-factory")


MATRICES = FreezePlan.from_dict(
    {"schema": 1, "rules": [{"layers": "all", "kinds": ["self_attn.?_proj.weight"]}]}
)
SOME = FreezePlan.from_dict(
    {"schema": 1, "rules": [{"layers": "2,20", "kinds": ["mlp.up_proj.weight"]}]}
)


@pytest.mark.parametrize("format", ADAPTERS)
def test_adapters_say_matrices_in_every_block(qwen: Anatomy, format: str) -> None:
    assert read_back(resolve(MATRICES, qwen), format)


@pytest.mark.parametrize(
    ("format", "can"), [("peft", True), ("unsloth", True), ("torchtune", False)]
)
def test_adapters_say_matrices_in_some_blocks_where_the_tool_can(
    qwen: Anatomy, format: str, can: bool
) -> None:
    assert read_back(resolve(SOME, qwen), format) is can


@pytest.mark.parametrize("format", ADAPTERS)
def test_no_adapter_says_bitfit(qwen: Anatomy, format: str) -> None:
    assert not read_back(resolve(preset("bitfit"), qwen), format)


def test_peft_says_attention_with_its_biases_and_norms_beside_it(qwen: Anatomy) -> None:
    plan = {"schema": 1, "rules": [{"layers": "last:2", "roles": ["attention", "norm"]}]}
    assert read_back(resolve(FreezePlan.from_dict(plan), qwen), "peft")
