"""Tiny configurations of multimodal models: a language model behind a vision tower."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import transformers as t

from qwen_ui.model.families import model_types
from tests.helpers.tiny_families import VOCABULARY, WITHOUT, tiny_configuration

_TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_TOWER: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
_QWEN_TOWER: dict[str, Any] = {
    "depth": 2,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_heads": 2,
    "out_hidden_size": 32,
    "patch_size": 14,
}
_GLM_TOWER: dict[str, Any] = {
    "depth": 2,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_heads": 2,
    "out_hidden_size": 32,
    "image_size": 28,
    "patch_size": 14,
}
_GLM_TOKENS: dict[str, Any] = {
    "image_token_id": 250,
    "video_token_id": 251,
    "image_start_token_id": 252,
    "image_end_token_id": 253,
    "video_start_token_id": 254,
    "video_end_token_id": 255,
}
_QWEN_TOKENS: dict[str, Any] = {
    "image_token_id": 250,
    "video_token_id": 251,
    "vision_start_token_id": 252,
    "vision_end_token_id": 253,
}
_SECTIONS: dict[str, Any] = {
    "rope_type": "default",
    "rope_theta": 10_000.0,
    "mrope_section": [1, 1, 2],
}
WRAPPERS: dict[str, Callable[[], t.PreTrainedConfig]] = {
    "gemma3": lambda: t.Gemma3Config(
        text_config={"model_type": "gemma3_text", **_TEXT, "sliding_window": 16},
        vision_config={"model_type": "siglip_vision_model", **_TOWER},
        mm_tokens_per_image=4, image_token_index=250, boi_token_index=251, eoi_token_index=252,
    ),
    "glm4v": lambda: t.Glm4vConfig(
        text_config={**_TEXT, "rope_parameters": _SECTIONS}, vision_config=_GLM_TOWER, **_GLM_TOKENS
    ),
    "glm4v_moe": lambda: t.Glm4vMoeConfig(
        text_config={
            **_TEXT, "rope_parameters": _SECTIONS | {"partial_rotary_factor": 1.0},
            "moe_intermediate_size": 16, "n_routed_experts": 4, "num_experts_per_tok": 2,
        },
        vision_config=_GLM_TOWER, **_GLM_TOKENS,
    ),
    "llava": lambda: t.LlavaConfig(
        text_config={"model_type": "llama", **_TEXT},
        vision_config={"model_type": "clip_vision_model", **_TOWER},
        image_token_index=250,
    ),
    "mistral3": lambda: t.Mistral3Config(
        text_config={"model_type": "mistral", **_TEXT},
        vision_config={"model_type": "pixtral", **_TOWER},
        image_token_index=250,
    ),
    "paligemma": lambda: t.PaliGemmaConfig(
        text_config={"model_type": "gemma", **_TEXT},
        vision_config={"model_type": "siglip_vision_model", **_TOWER},
        projection_dim=32, image_token_index=250,
    ),
    "qwen2_5_vl": lambda: t.Qwen2_5_VLConfig(
        text_config={**_TEXT, "rope_parameters": _SECTIONS},
        vision_config={**_QWEN_TOWER, "fullatt_block_indexes": [1]},
        **_QWEN_TOKENS,
    ),
    "qwen3_vl": lambda: t.Qwen3VLConfig(
        text_config={**_TEXT, "rope_parameters": _SECTIONS},
        vision_config={**_QWEN_TOWER, "deepstack_visual_indexes": [0]},
        **_QWEN_TOKENS,
    ),
}  # fmt: skip


def configuration_of(model_type: str) -> t.PreTrainedConfig:
    """A tiny configuration of this type, text alone or multimodal."""
    wrapper = WRAPPERS.get(model_type)
    return tiny_configuration(model_type) if wrapper is None else wrapper()


def built_types() -> tuple[str, ...]:
    """Types that have a tiny configuration: transformers' causal language models and wrappers."""
    return tuple(sorted({*model_types(), *WRAPPERS} - WITHOUT.keys()))
