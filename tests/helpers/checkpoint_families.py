"""Tiny checkpoints of many families, as transformers saves them, and ways to spoil one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as t
from safetensors.torch import load_file, save_file

from qwen_ui.model.skeleton import auto_class
from tests.helpers.tiny_models import byte_tokenizer

Weights = dict[str, torch.Tensor]
SHAPE: dict[str, Any] = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_MOE: dict[str, Any] = {
    "moe_intermediate_size": 16,
    "num_experts": 4,
    "num_experts_per_tok": 2,
}
_LINEAR: dict[str, Any] = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
}
FAMILIES: dict[str, Callable[[], t.PreTrainedConfig]] = {
    "llama": lambda: t.LlamaConfig(**SHAPE, tie_word_embeddings=False),
    "qwen2": lambda: t.Qwen2Config(**SHAPE, tie_word_embeddings=True),
    "qwen3": lambda: t.Qwen3Config(**SHAPE, head_dim=8, tie_word_embeddings=True),
    "gemma2": lambda: t.Gemma2Config(**SHAPE, head_dim=8, sliding_window=16),
    "gemma3": lambda: t.Gemma3TextConfig(**SHAPE, head_dim=8, sliding_window=16),
    "gpt2": lambda: t.GPT2Config(
        vocab_size=260, n_embd=32, n_layer=4, n_head=4, n_positions=128, bos_token_id=0,
        eos_token_id=2,
    ),
    "gpt_neox": lambda: t.GPTNeoXConfig(**SHAPE),
    "diffllama": lambda: t.DiffLlamaConfig(**SHAPE),
    "phi3": lambda: t.Phi3Config(**SHAPE),
    "falcon": lambda: t.FalconConfig(
        vocab_size=260, hidden_size=32, num_hidden_layers=4, num_attention_heads=4, bos_token_id=0,
        eos_token_id=2,
    ),
    "bloom": lambda: t.BloomConfig(
        vocab_size=260, hidden_size=32, n_layer=4, n_head=4, bos_token_id=0, eos_token_id=2
    ),
    "qwen2_moe": lambda: t.Qwen2MoeConfig(
        **SHAPE, **_MOE, shared_expert_intermediate_size=24, tie_word_embeddings=False
    ),
    "mixtral": lambda: t.MixtralConfig(**SHAPE, num_local_experts=4),
    "olmoe": lambda: t.OlmoeConfig(**SHAPE, num_experts=4, num_experts_per_tok=2),
    "mamba": lambda: t.MambaConfig(
        vocab_size=260, hidden_size=32, num_hidden_layers=4, state_size=8, bos_token_id=0,
        eos_token_id=2, pad_token_id=0,
    ),
    "qwen3_next": lambda: t.Qwen3NextConfig(
        **SHAPE, **_MOE, **_LINEAR, head_dim=8, shared_expert_intermediate_size=16
    ),
    "qwen3_5": lambda: t.Qwen3_5TextConfig(
        **SHAPE, **_LINEAR, head_dim=8, tie_word_embeddings=True
    ),
    "qwen2_5_vl": lambda: t.Qwen2_5_VLConfig(
        text_config={
            **SHAPE,
            "rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": [1, 1, 2]},
        },
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2,
            "out_hidden_size": 32, "fullatt_block_indexes": [1], "patch_size": 14,
        },
        image_token_id=250, video_token_id=251, vision_start_token_id=252, vision_end_token_id=253,
    ),
    "gemma3_images": lambda: t.Gemma3Config(
        text_config={**SHAPE, "head_dim": 8, "sliding_window": 16},
        vision_config={
            "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
        },
        mm_tokens_per_image=4, image_token_index=250, boi_token_index=251, eoi_token_index=252,
    ),
}  # fmt: skip


def save_family(folder: Path, family: str, **other: Any) -> Path:
    """A tiny model of this family with seeded weights in float32, and its tokenizer.

    Args:
        other: what its configuration has otherwise.
    """
    configuration = FAMILIES[family]()
    for name, value in other.items():
        setattr(configuration, name, value)
    return save_random(folder, configuration)


def save_random(folder: Path, configuration: t.PreTrainedConfig) -> Path:
    """A model of this configuration with seeded weights in float32, and a byte tokenizer."""
    torch.manual_seed(0)
    configuration.dtype = torch.float32
    model = auto_class(configuration).from_config(configuration).to(torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)  # norms and biases differ, too
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def change_weights(folder: Path, change: Callable[[Weights], Weights]) -> Path:
    """Replace the tensors of a checkpoint by what `change` makes of them."""
    file = folder / "model.safetensors"
    made = {name: tensor.contiguous().clone() for name, tensor in change(load_file(file)).items()}
    save_file(made, file, {"format": "pt"})
    return folder


def change_config(folder: Path, **values: Any) -> Path:
    """Set values of a checkpoint's configuration."""
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
    return folder
