"""LLaMA-Factory trains the same names by its own rule, or the export says that it cannot."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, export_text, preset, resolve
from qwen_ui.model import Anatomy
from tests.helpers.small_models import CONFIGURATIONS, small_model
from tests.helpers.strategies import plans


@pytest.mark.parametrize(
    ("rules", "layers", "modules"),
    [
        ([{"layers": "last:4", "roles": ["attention"]}], 4, "self_attn"),
        ([{"layers": "first:3", "roles": ["mlp"]}], -3, "mlp"),
        ([{"layers": "last:2"}], 2, "all"),
        ([{"layers": "last:4"}, {"names": ["model.embed_tokens.weight"]}], 4, "all"),
    ],
)
def test_its_settings_train_the_same_by_its_own_rule(
    qwen: Anatomy, rules: list[object], layers: int, modules: str
) -> None:
    selection = resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), qwen)
    text = export_text(selection, "llama-factory")
    values = dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert int(values["freeze_trainable_layers"]) == layers
    assert values["freeze_trainable_modules"] == modules
    assert llama_factory_trains(values, qwen) == selection.names


def llama_factory_trains(values: dict[str, str], anatomy: Anatomy) -> set[str]:
    """Freeze tuning as LLaMA-Factory documents it: parts of names, for the first or last layers."""
    n, count = int(values["freeze_trainable_layers"]), anatomy.block_count
    ids = range(count - n, count) if n > 0 else range(-n)
    parts = [
        f".{i}." if module == "all" else f".{i}.{module}"
        for module in values["freeze_trainable_modules"].split(",")
        for i in ids
    ]
    parts += [e for e in values.get("freeze_extra_modules", "").split(",") if e]
    return {p.name for p in anatomy.parameters if any(part in p.name for part in parts)}


@pytest.mark.parametrize("name", CONFIGURATIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_it_trains_the_same_or_the_export_says_that_it_cannot(
    name: str, data: st.DataObject
) -> None:
    _, anatomy = small_model(name)
    try:
        selection = resolve(data.draw(plans(anatomy)), anatomy)
    except PlanError:
        return
    text = export_text(selection, "llama-factory")
    values = dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert not values or llama_factory_trains(values, anatomy) == selection.names


@pytest.mark.parametrize(
    "plan",
    [
        preset("bitfit"),
        preset("attention", "3,7"),
        preset("embeddings"),
        FreezePlan.from_dict(
            {"schema": 1, "rules": [{"layers": "last:2"}, {"names": ["model.norm.weight"]}]}
        ),
    ],
)
def test_the_export_is_a_comment_where_it_cannot_express_the_plan(
    qwen: Anatomy, plan: FreezePlan
) -> None:
    """The final norm's name is part of the other norms' names: its rule would train these too."""
    text = export_text(resolve(plan, qwen), "llama-factory")
    assert "cannot express this plan: it" in text
    assert "freeze_trainable_layers" not in text
