"""Small models of several architectures, with real weights on the CPU, and their anatomies."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    OPTConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2MoeConfig,
)

from qwen_ui.model import Anatomy, open_model

_SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
CONFIGURATIONS: dict[str, Callable[[], PreTrainedConfig]] = {
    "qwen2": lambda: Qwen2Config(**_SMALL, tie_word_embeddings=True),
    "llama": lambda: LlamaConfig(**_SMALL, tie_word_embeddings=False),
    "gemma": lambda: GemmaConfig(**_SMALL, head_dim=4),
    "gpt2": lambda: GPT2Config(vocab_size=64, n_embd=16, n_layer=5, n_head=4, n_positions=64),
    "opt": lambda: OPTConfig(
        vocab_size=64,
        hidden_size=16,
        ffn_dim=32,
        num_hidden_layers=5,
        num_attention_heads=4,
        max_position_embeddings=64,
        word_embed_proj_dim=16,
    ),
    "qwen2_moe": lambda: Qwen2MoeConfig(
        **_SMALL, moe_intermediate_size=8, shared_expert_intermediate_size=16, num_experts=4
    ),
}


def build(name: str) -> PreTrainedModel:
    """A small model of this architecture in float32, seeded, without dropout."""
    torch.manual_seed(0)
    configuration = CONFIGURATIONS[name]()
    configuration.dtype = torch.float32
    return AutoModelForCausalLM.from_config(configuration).eval()


@cache
def small_model(name: str) -> tuple[PreTrainedModel, Anatomy]:
    """Built once a session; tests may set `requires_grad` but never change a value."""
    module = build(name)
    return module, open_model(module)


def step(module: PreTrainedModel, batch_size: int = 4, length: int = 16) -> torch.Tensor:
    """The loss of one forward and backward over random tokens, the plain way."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, 64, (batch_size, length), generator=generator)
    mask = torch.ones_like(tokens)
    loss = module(input_ids=tokens, attention_mask=mask, labels=tokens, use_cache=False).loss
    if loss.requires_grad:
        loss.backward()
    return loss.detach()
