"""A plan resolves to exactly what trains: names, `requires_grad` and gradients agree."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, Rule, apply, preset, resolve
from qwen_ui.model import Anatomy, open_model
from tests.helpers.small_models import CONFIGURATIONS, build, small_model, step
from tests.helpers.strategies import plans


@pytest.mark.parametrize("name", CONFIGURATIONS)
@settings(max_examples=25)
@given(data=st.data())
def test_names_are_what_requires_a_gradient_and_what_gets_one(
    name: str, data: st.DataObject
) -> None:
    module, anatomy = small_model(name)
    plan = data.draw(plans(anatomy))
    try:
        selection = resolve(plan, anatomy)
    except PlanError:
        return
    apply(selection, module)
    asked = {n for n, p in module.named_parameters() if p.requires_grad}
    assert asked == selection.names
    assert sum(p.numel() for p in module.parameters() if p.requires_grad) == (
        selection.trainable_parameters
    )
    step(module)
    assert {n for n, p in module.named_parameters() if p.grad is not None} == selection.names
    assert FreezePlan.from_json(plan.to_json()) == plan
    assert resolve(FreezePlan.from_json(plan.to_json()), anatomy).names == selection.names


@pytest.mark.parametrize("name", CONFIGURATIONS)
@settings(max_examples=25)
@given(data=st.data())
def test_no_gradient_enters_the_prefix(name: str, data: st.DataObject) -> None:
    """What the prefix blocks put out needs no gradient, and the block after them sees one."""
    module, anatomy = small_model(name)
    try:
        selection = resolve(data.draw(plans(anatomy)), anatomy)
    except PlanError:
        return
    apply(selection, module)
    needs: list[bool] = []
    handles = [
        module.get_submodule(block.name).register_forward_hook(
            lambda _m, _a, out: needs.append(
                (out if torch.is_tensor(out) else out[0]).requires_grad
            )
        )
        for block in anatomy.blocks
    ]
    step(module, batch_size=1)
    for handle in handles:
        handle.remove()
    expected = needs.index(True) if any(needs) else len(needs)
    assert selection.prefix_blocks == expected


def test_layer_two_never_takes_twenty_along(qwen: Anatomy) -> None:
    selection = resolve(preset("full", "2"), qwen)
    assert {p.block for p in selection.parameters} == {2}
    assert all(".layers.2." in name for name in selection.names)


def test_a_later_rule_wins(qwen: Anatomy) -> None:
    plan = FreezePlan(
        rules=(
            Rule(roles=("attention",)),
            Rule(train=False, layers="0-26"),
            Rule(layers="3", kinds=("self_attn.v_proj.bias",)),
        )
    )
    selection = resolve(plan, qwen)
    assert {p.block for p in selection.parameters} == {3, 27}
    assert "model.layers.3.self_attn.v_proj.bias" in selection.names
    assert "model.layers.3.self_attn.v_proj.weight" not in selection.names


@pytest.mark.parametrize(
    "rules",
    [
        [{"kinds": ["no.such.kind"]}],
        [{"layers": "40"}],
        [{"roles": ["attention"]}, {"train": False}],
        [{"regex": "lm_haed"}],
    ],
)
def test_a_plan_that_trains_nothing_is_an_error(qwen: Anatomy, rules: list[object]) -> None:
    with pytest.raises(PlanError, match="trains nothing"):
        resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), qwen)


def test_a_rule_that_matches_nothing_is_named_where_others_match(qwen: Anatomy) -> None:
    rules = [{"roles": ["attention"]}, {"kinds": ["mlp.down_proj.bias"]}]
    selection = resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), qwen)
    assert any("matches nothing" in w and "mlp.down_proj.bias" in w for w in selection.warnings)


def test_applying_drops_stale_gradients() -> None:
    module = build("qwen2")
    anatomy = open_model(module)
    apply(resolve(preset("full"), anatomy), module)
    step(module)
    apply(resolve(preset("bitfit"), anatomy), module)
    assert all(p.grad is None for p in module.parameters())


def test_applying_to_another_model_names_what_is_missing(qwen: Anatomy) -> None:
    with pytest.raises(PlanError, match="has no parameter"):
        apply(resolve(preset("attention"), qwen), build("gpt2"))


def test_a_quantized_tensor_cannot_be_trained() -> None:
    module = torch.nn.Module()
    module.weight = torch.nn.Parameter(torch.zeros(2, dtype=torch.int8), requires_grad=False)
    selection = resolve(FreezePlan(rules=(Rule(),)), open_model(module))
    assert any("quantized" in w and "int8" in w for w in selection.warnings)
    with pytest.raises(PlanError, match="quantized"):
        apply(selection, module)


def test_the_final_norm_of_opt_comes_after_its_blocks_though_it_is_listed_before_them() -> None:
    _, anatomy = small_model("opt")
    rules = [{"names": ["model.decoder.final_layer_norm.*"]}]
    selection = resolve(FreezePlan.from_dict({"schema": 1, "rules": rules}), anatomy)
    assert selection.names
    assert selection.prefix_blocks == anatomy.block_count


def test_position_embeddings_come_before_every_block() -> None:
    _, anatomy = small_model("gpt2")
    rules = [{"names": ["transformer.wpe.weight"]}, {"layers": "last:1"}]
    plan = FreezePlan.from_dict({"schema": 1, "rules": rules})
    assert resolve(plan, anatomy).prefix_blocks == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": 2, "rules": []}',
        '{"schema": 1, "rules": [{"train": "maybe"}]}',
        '{"schema": 1, "rules": [{"layer": "all"}]}',
        '{"schema": 1, "rules": [{"layers": "top"}]}',
        '{"schema": 1, "rules": [{"regex": "("}]}',
        '{"schema": 1, "rules": [{"roles": ["attn"]}]}',
        '{"schema": 1, "name": "' + "x" * 2_000_000 + '"}',
    ],
)
def test_nonsense_is_no_plan(text: str) -> None:
    with pytest.raises(PlanError):
        FreezePlan.from_json(text)
