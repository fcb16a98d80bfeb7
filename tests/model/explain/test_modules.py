"""What the panel says of a module, for several families."""

from __future__ import annotations

import pytest
from transformers import DeepseekV3Config, GPT2Config

from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.explain import explain_module
from tests.helpers.other_families import other_family


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
def test_other_families_are_described_in_their_own_terms(
    family: str, module: str, says: str, formula: str
) -> None:
    said = explain_module(other_family(family), module)
    assert says in said.sentence
    assert formula in said.formula


def test_latent_attention_is_told_apart() -> None:
    config = DeepseekV3Config(
        hidden_size=64, intermediate_size=96, moe_intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, vocab_size=100, n_routed_experts=4,
        n_group=1, topk_group=1, num_experts_per_tok=2, first_k_dense_replace=1,
        q_lora_rank=24, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8,
    )  # fmt: skip
    anatomy = open_model(config)
    assert "latent" in explain_module(anatomy, "model.layers.0.self_attn").sentence


def test_a_family_with_layer_norms_has_their_formula() -> None:
    anatomy = open_model(GPT2Config(n_layer=2, n_embd=64, n_head=4))
    assert "+ b" in explain_module(anatomy, "transformer.h.0.ln_1").formula
