"""What the panel says of a module and of its shape, for several families."""

from __future__ import annotations

import pytest
from transformers import DeepseekV3Config, GPT2Config, MixtralConfig, Qwen3Config

from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.dimensions import explain_shape, head_size
from qwen_ui.model.explain import explain_module


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


def test_a_head_may_be_wider_than_width_over_heads() -> None:
    config = Qwen3Config(hidden_size=64, num_attention_heads=4, head_dim=32)
    assert head_size(config.to_dict()) == 32


@pytest.mark.parametrize(
    ("name", "formula", "word"),
    [
        ("", "softmax(head(", "The whole model"),
        ("model.layers", "hₖ₊₁ = blockₖ(hₖ)", "28 blocks"),
        ("model.layers.0", "h = x + attention(norm(x))", "decoder layer"),
        ("model.layers.0.self_attn", "softmax(Q Kᵀ / √d + mask) V", "12 query heads share 2"),
        ("model.layers.0.mlp", "down(silu(gate(x)) · up(x))", "gated"),
        ("model.layers.0.input_layernorm", "y = x / √(mean(x²) + ε) · w", "no bias"),
        ("model.embed_tokens", "h = E[token]", "training one trains both"),
        ("lm_head", "logits = h Wᵀ", "same tensor as model.embed_tokens.weight"),
        ("model.rotary_emb", "rotate", "no parameters"),
    ],
)
def test_each_module_has_its_sentence_and_formula(
    qwen: Anatomy, name: str, formula: str, word: str
) -> None:
    said = explain_module(qwen, name)
    assert formula in said.formula
    assert word in said.sentence


def test_latent_attention_is_told_apart() -> None:
    config = DeepseekV3Config(
        hidden_size=64, intermediate_size=96, moe_intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, vocab_size=100, n_routed_experts=4,
        n_group=1, topk_group=1, num_experts_per_tok=2, first_k_dense_replace=1,
        q_lora_rank=24, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8,
    )  # fmt: skip
    anatomy = open_model(config)
    assert "latent" in explain_module(anatomy, "model.layers.0.self_attn").sentence
    kv = anatomy.by_name["model.layers.0.self_attn.kv_a_proj_with_mqa.weight"]
    assert "latent key-value 16 + rotary key 8" in explain_shape(anatomy, kv)[0]


def test_a_family_with_layer_norms_has_their_formula() -> None:
    anatomy = open_model(GPT2Config(n_layer=2, n_embd=64, n_head=4))
    assert "+ b" in explain_module(anatomy, "transformer.h.0.ln_1").formula
