"""The warnings: said where they hold, silent where they do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qwen_ui.freeze import FreezePlan, preset, preset_plans, resolve
from qwen_ui.model import Anatomy


def warnings(anatomy: Anatomy, *rules: dict[str, object]) -> str:
    plan = FreezePlan.from_dict({"schema": 1, "rules": list(rules)})
    return "\n".join(resolve(plan, anatomy).warnings)


def test_attention_only_on_the_top_blocks_has_nothing_to_warn_of(qwen: Anatomy) -> None:
    assert resolve(preset("attention"), qwen).warnings == ()


def test_biases_that_people_expect_and_that_do_not_exist_are_named(qwen: Anatomy) -> None:
    text = "\n".join(resolve(preset("bitfit"), qwen).warnings)
    for module in ("self_attn.o_proj", "mlp.down_proj", "input_layernorm"):
        assert module in text
    assert "self_attn.q_proj" not in text


def test_a_gap_of_frozen_blocks_is_named(qwen: Anatomy) -> None:
    text = warnings(qwen, {"layers": "3,27"})
    assert "23 frozen blocks are above block 3" in text
    assert "4-26" in text
    assert "frozen block" not in warnings(qwen, {"layers": "3-27"})


@pytest.mark.parametrize("name", ["norms", "bitfit"])
def test_decay_is_mentioned_where_the_plan_is_norms_or_biases(qwen: Anatomy, name: str) -> None:
    assert "weight decay" in "\n".join(resolve(preset(name), qwen).warnings)
    assert "weight decay" not in "\n".join(resolve(preset("mlp"), qwen).warnings)


def test_training_the_embedding_speaks_of_the_tie_and_of_checkpointing(qwen: Anatomy) -> None:
    text = warnings(qwen, {"roles": ["embedding"]})
    assert "tied" in text
    assert "checkpointing" in text


def test_nothing_trained_on_purpose_is_said(qwen: Anatomy) -> None:
    assert "Nothing is trained" in resolve(preset("none"), qwen).warnings[0]


def test_kinds_and_names_that_do_not_exist_are_named_though_the_rule_matches(qwen: Anatomy) -> None:
    kinds = ["self_attn.q_proj.weight", "self_attn.q_norm.weight", "mlp.*_proj.bias"]
    text = warnings(qwen, {"layers": "last:2", "kinds": kinds, "names": ["model.norm.weight"]})
    assert "doesn't have: self_attn.q_norm.weight, mlp.*_proj.bias, model.norm" in text
    assert "doesn't have" not in warnings(qwen, {"kinds": kinds[:1], "names": ["model.norm.*"]})
    for name in preset_plans():
        assert "doesn't have" not in "\n".join(resolve(preset(name), qwen).warnings)


def test_layers_of_a_deeper_model_are_named(qwen: Anatomy) -> None:
    assert "26-40 reach beyond this model: its blocks are 0 to 27" in warnings(
        qwen, {"layers": "26-40", "roles": ["mlp"]}
    )
    for layers in ("last:40", "24-27", "0,every:30"):
        assert "reach beyond" not in warnings(qwen, {"layers": layers, "roles": ["mlp"]})


def test_quantized_weights_are_told_by_dtype_and_by_configuration(qwen: Anatomy) -> None:
    packed = replace(qwen.parameters[5], dtype="int8")
    mixed = replace(qwen, parameters=(*qwen.parameters[:5], packed, *qwen.parameters[6:]))
    assert f"({packed.name} is int8)" in warnings(mixed, {"names": [packed.name]})
    settings = {"quant_method": "gptq", "bits": 4}
    quantized = replace(qwen, config=qwen.config | {"quantization_config": settings})
    assert "quantized (gptq) and cannot be trained" in warnings(quantized, {"layers": "last:1"})
    assert "quantized" not in "\n".join(resolve(preset("none"), quantized).warnings)
