"""Small models of families whose configurations use other words than Qwen's."""

from __future__ import annotations

from transformers import (
    BartConfig,
    GPT2Config,
    Llama4TextConfig,
    MambaConfig,
    Qwen3NextConfig,
)

from qwen_ui.model import Anatomy, open_model


def other_family(name: str) -> Anatomy:
    """The anatomy of a small model: gpt2, bart, mamba, delta or llama4."""
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
