"""The canonical form: equivalent, idempotent, and the same however a selection came about."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, Rule, canonical_plan, preset, resolve
from qwen_ui.model import Anatomy, open_model
from tests.helpers.small_models import CONFIGURATIONS, small_model
from tests.helpers.strategies import name_sets, plans


@pytest.mark.parametrize("name", CONFIGURATIONS)
@settings(max_examples=60)
@given(data=st.data())
def test_any_set_of_tensors_has_an_equivalent_canonical_plan(
    name: str, data: st.DataObject
) -> None:
    _, anatomy = small_model(name)
    names = data.draw(name_sets(anatomy))
    plan = canonical_plan(anatomy, names)
    again = FreezePlan.from_json(plan.to_json())
    assert resolve(again, anatomy).names == names
    assert canonical_plan(anatomy, resolve(plan, anatomy).names) == plan


@pytest.mark.parametrize("name", CONFIGURATIONS)
@settings(max_examples=60)
@given(data=st.data())
def test_the_canonical_form_of_a_plan_selects_the_same(name: str, data: st.DataObject) -> None:
    _, anatomy = small_model(name)
    try:
        names = resolve(data.draw(plans(anatomy)), anatomy).names
    except PlanError:
        return
    assert resolve(canonical_plan(anatomy, names), anatomy).names == names


@pytest.mark.parametrize("name", ["attention", "bitfit", "mlp", "norms", "full", "none"])
@pytest.mark.parametrize("layers", ["all", "last:4", "3"])
def test_a_preset_clicked_together_is_that_preset(qwen: Anatomy, name: str, layers: str) -> None:
    names = resolve(preset(name, layers), qwen).names
    found = canonical_plan(qwen, names)
    assert resolve(found, qwen).names == names
    wanted = preset(name, layers)
    if name == "mlp":  # this model has no experts to name
        wanted = FreezePlan(
            rules=tuple(r.model_copy(update={"roles": ("mlp",)}) for r in wanted.rules)
        )
    assert found.rules == wanted.rules


def test_the_order_of_clicks_leaves_no_trace(qwen: Anatomy) -> None:
    cells = sorted(resolve(preset("attention"), qwen).names)
    assert canonical_plan(qwen, cells) == canonical_plan(qwen, reversed(cells))


def test_everything_but_one_cell_is_two_rules(qwen: Anatomy) -> None:
    left_out = "model.layers.3.self_attn.v_proj.bias"
    names = {p.name for p in qwen.parameters} - {left_out}
    plan = canonical_plan(qwen, names)
    assert plan.rules == (
        Rule(),
        Rule(train=False, layers="3", kinds=("self_attn.v_proj.bias",)),
    )
    assert "everything except v bias of block 3" in resolve(plan, qwen).summary


def test_a_canonical_plan_made_on_nano_is_the_same_choice_on_the_large_models(
    qwen: Anatomy,
) -> None:
    nano = open_model("nano")
    for name in ("attention", "bitfit", "norms"):
        plan = canonical_plan(nano, resolve(preset(name, "last:4"), nano).names)
        for other in (qwen, open_model("qwen2.5-0.5b-instruct"), open_model("qwen2.5-7b-instruct")):
            assert resolve(plan, other).names == resolve(preset(name, "last:4"), other).names
