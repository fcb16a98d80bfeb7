"""What the panel says of a module and of its shape, for several families."""

from __future__ import annotations

import pytest
from transformers import (
    BartConfig,
    DeepseekV3Config,
    GPT2Config,
    Llama4TextConfig,
    MambaConfig,
    MixtralConfig,
    Qwen3Config,
    Qwen3NextConfig,
)

from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.config_values import head_size
from qwen_ui.model.explain.modules import explain_module
from qwen_ui.model.explain.shapes import explain_shape


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


def other(name: str) -> Anatomy:
    """Small models of families whose configurations use other words."""
    return open_model(
        {
            "gpt2": GPT2Config(n_layer=2, n_embd=64, n_head=4),
            "bart": BartConfig(
                d_model=64, decoder_layers=2, encoder_layers=2, decoder_ffn_dim=96,
                decoder_attention_heads=4, encoder_attention_heads=4, vocab_size=100,
            ),
            "mamba": MambaConfig(hidden_size=64, num_hidden_layers=2, vocab_size=100),
            "delta": Qwen3NextConfig(
                hidden_size=64, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
                head_dim=16, linear_num_value_heads=8, linear_num_key_heads=4,
                linear_key_head_dim=8, linear_value_head_dim=12, vocab_size=100, num_experts=4,
                intermediate_size=96, moe_intermediate_size=32,
                shared_expert_intermediate_size=40,
            ),
            "llama4": Llama4TextConfig(
                hidden_size=64, intermediate_size=32, intermediate_size_mlp=96, vocab_size=100,
                num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
                num_local_experts=8,
            ),
        }[name]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("family", "module", "says", "formula"),
    [
        ("gpt2", "transformer.h.0.attn", "multi-head: 4 heads", "softmax"),
        ("gpt2", "transformer.h.0.attn.c_attn", "fused query, key and value", "y = x W + b"),
        ("gpt2", "transformer.h.0.mlp.c_proj", "way down", "y = x W + b"),
        ("bart", "model.decoder.layers.0.encoder_attn", "the encoder's positions", "softmax"),
        ("bart", "model.decoder.layers.0.fc1", "way up", "y = x Wᵀ + b"),
        ("mamba", "backbone.layers.0.mixer", "state-space", "hₜ"),
        ("mamba", "backbone.layers.0.mixer.x_proj", "time step, B and C", "y = x Wᵀ"),
        ("delta", "model.layers.0.linear_attn", "delta rule", "Sₜ"),
        ("delta", "model.layers.3.self_attn", "over the whole context", "softmax"),
        ("delta", "model.layers.0.mlp.gate", "the best 10 of 4", "top"),
        ("delta", "model.layers.0.mlp.experts", "cannot be frozen by name", "expert"),
        ("delta", "model.layers.0.mlp.shared_expert", "every position passes", "down("),
        ("llama4", "model.layers.0.self_attn", "looks back 8,192 positions at most", "softmax"),
    ],
)
def test_other_families_are_told_in_their_own_terms(
    family: str, module: str, says: str, formula: str
) -> None:
    said = explain_module(other(family), module)
    assert says in said.sentence
    assert formula in said.formula


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
    anatomy = other(family)
    said = explain_shape(anatomy, anatomy.by_name[tensor])
    for part in wanted:
        assert any(line.startswith(part) for line in said), said


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
