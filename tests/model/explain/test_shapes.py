"""Why a tensor has its shape, for several families."""

from __future__ import annotations

import pytest
from transformers import DeepseekV3Config, MixtralConfig

from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.explain import explain_shape
from tests.helpers.other_families import other_family


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("self_attn.q_proj.weight", ("12 query heads × 128", "width of the residual stream")),
        ("self_attn.k_proj.weight", ("2 key-value heads × 128", "width of the residual stream")),
        ("self_attn.v_proj.bias", ("2 key-value heads × 128",)),
        ("self_attn.o_proj.weight", ("width of the residual stream", "12 query heads × 128")),
        ("mlp.down_proj.weight", ("width of the residual stream", "inner width of the MLP")),
        ("input_layernorm.weight", ("width of the residual stream",)),
    ],
)
def test_each_dimension_is_explained(qwen: Anatomy, name: str, wanted: tuple[str, ...]) -> None:
    said = explain_shape(qwen, qwen.by_name[f"model.layers.5.{name}"])
    assert len(said) == len(wanted)
    for sentence, part in zip(said, wanted, strict=True):
        assert part in sentence


def test_a_size_that_the_configuration_does_not_give_is_left_without_a_reason() -> None:
    config = MixtralConfig(
        hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, num_local_experts=8, vocab_size=100,
    )  # fmt: skip
    anatomy = open_model(config)
    fused = next(p for p in anatomy.parameters if str(p.role) == "expert")
    assert len(fused.shape) == 3
    said = " ".join(explain_shape(anatomy, fused))
    assert "8 experts: the experts (num_local_experts)" in said


@pytest.mark.parametrize(
    ("family", "tensor", "wanted"),
    [
        (
            "gpt2",
            "transformer.h.0.attn.c_attn.weight",
            ["64 inputs: the width", "192 outputs: query, key and value of 4 heads × 16"],
        ),
        ("gpt2", "transformer.h.0.mlp.c_fc.weight", ["64 inputs", "256 outputs: four times"]),
        ("bart", "model.decoder.layers.0.fc1.weight", ["96 outputs: the inner width of the MLP"]),
        ("mamba", "backbone.layers.0.mixer.A_log", ["128 values: the inner width of the mixer"]),
        (
            "delta",
            "model.layers.0.linear_attn.in_proj_qkvz.weight",
            ["256 outputs: query and key, 32 each; value and gate, 96"],
        ),
        ("delta", "model.layers.0.linear_attn.dt_bias", ["8 values: 8 value heads"]),
        (
            "delta",
            "model.layers.3.self_attn.q_proj.weight",
            ["128 outputs: 4 query heads × 16, and"],
        ),
        (
            "llama4",
            "model.layers.1.feed_forward.experts.gate_up_proj",
            ["8 experts", "64 inputs: the width", "64 outputs"],
        ),
    ],
)
def test_shapes_of_other_families_are_explained(
    family: str, tensor: str, wanted: list[str]
) -> None:
    anatomy = other_family(family)
    said = explain_shape(anatomy, anatomy.by_name[tensor])
    for part in wanted:
        assert any(line.startswith(part) for line in said), said


def test_the_latent_of_multi_head_latent_attention_is_explained() -> None:
    config = DeepseekV3Config(
        hidden_size=64, intermediate_size=96, moe_intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, vocab_size=100, n_routed_experts=4,
        n_group=1, topk_group=1, num_experts_per_tok=2, first_k_dense_replace=1,
        q_lora_rank=24, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8,
    )  # fmt: skip
    anatomy = open_model(config)
    kv = anatomy.by_name["model.layers.0.self_attn.kv_a_proj_with_mqa.weight"]
    assert "latent key-value 16 + rotary key 8" in explain_shape(anatomy, kv)[0]
