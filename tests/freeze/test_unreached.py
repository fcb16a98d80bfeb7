"""What text cannot reach is said, not counted, and not trained; nothing else is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import GitConfig, MllamaConfig

from qwen_ui.errors import PlanError
from qwen_ui.freeze import FreezePlan, Rule, apply, canonical_plan, estimate_cost, preset, resolve
from qwen_ui.model import open_model, unreached
from qwen_ui.model.skeleton import auto_class
from tests.helpers.checkpoint_families import FAMILIES
from tests.helpers.tiny_families import tiny_configuration
from tests.helpers.tiny_wrappers import WRAPPERS

_TEXT: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
}
_VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "image_size": 28,
    "num_hidden_layers": 1,
}
CONFIGURATIONS = {
    "qwen2_5_vl": FAMILIES["qwen2_5_vl"],
    "gemma3": FAMILIES["gemma3_images"],
    # Cross-attention on images inside the decoder's own blocks.
    "mllama": lambda: MllamaConfig(
        text_config={**_TEXT, "cross_attention_layers": [1]},
        vision_config={**_VISION, "attention_heads": 2, "num_global_layers": 1},
    ),
    # No configuration of its own for the text.
    "git": lambda: GitConfig(
        **{k: v for k, v in _TEXT.items() if k != "num_key_value_heads"},
        vision_config={**_VISION, "num_attention_heads": 2, "patch_size": 14},
    ),
}
# Attention to an encoder that is not there, a pooler, an indexer that picks tokens, a correction of
# which expert is taken.
OF_TEXT = ("bart", "whisper", "big_bird", "deepseek_v32", "afmoe", "ernie4_5_moe")


@pytest.mark.parametrize("family", [*CONFIGURATIONS, *OF_TEXT])
def test_what_is_counted_is_what_a_real_step_on_text_gives_a_gradient(family: str) -> None:
    torch.manual_seed(0)
    made = CONFIGURATIONS.get(family)
    configuration = tiny_configuration(family) if made is None else made()
    anatomy = open_model(configuration)
    selection = resolve(preset("full"), anatomy)
    model = auto_class(configuration).from_config(configuration).float().train()
    apply(selection, model)
    tokens = torch.ones((1, 8), dtype=torch.long)
    model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits.sum().backward()
    got = {name for name, p in model.named_parameters() if p.grad is not None}
    assert selection.names == got
    left_out = len(anatomy.parameters) - len(got)
    assert left_out > 0
    assert any(f"{left_out} of the tensors" in warning for warning in selection.warnings)
    assert selection.trainable_parameters == sum(
        p.numel for p in anatomy.parameters if p.name in got
    )
    again = resolve(canonical_plan(anatomy, selection.names), anatomy)
    assert again.names == selection.names


def test_a_plan_of_what_text_cannot_reach_is_refused() -> None:
    anatomy = open_model(FAMILIES["qwen2_5_vl"]())
    with pytest.raises(PlanError, match=r"only what text cannot reach .*model\.visual\."):
        resolve(FreezePlan(rules=(Rule(names=("model.visual.*",)),)), anatomy)


def test_a_multimodal_plan_is_priced_without_its_tower() -> None:
    anatomy = open_model(FAMILIES["gemma3_images"]())
    selection = resolve(preset("full"), anatomy)
    cost = estimate_cost(anatomy, selection, batch_size=1, sequence_length=16)
    held = sum(p.bytes for p in selection.parameters)
    assert cost.gradient_bytes == held < anatomy.bytes


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2", "bloom", "mixtral", "mamba"])
def test_text_reaches_all_of_a_usual_model(family: str) -> None:
    assert unreached(open_model(FAMILIES[family]())) == frozenset()


def test_what_long_sequences_alone_reach_is_reached() -> None:
    """DeepSeek-V4's compressor makes one entry of so many tokens: eight are too few."""
    anatomy = open_model(tiny_configuration("deepseek_v4"))
    compressor = {p.name for p in anatomy.parameters if ".self_attn.compressor.kv_proj" in p.name}
    assert compressor
    assert compressor.isdisjoint(unreached(anatomy))


@pytest.mark.parametrize("model_type", ["glm4v", "glm4v_moe"])
def test_the_tower_of_glm_4v_is_out_of_reach_and_its_step_is_priced(model_type: str) -> None:
    """Its defaults do not agree with each other (sections of 32 for heads of 128): no step runs."""
    anatomy = open_model(WRAPPERS[model_type]())
    out_of_reach = unreached(anatomy)
    assert out_of_reach
    assert all(name.startswith("model.visual.") for name in out_of_reach)
    selection = resolve(preset("full"), anatomy)
    assert estimate_cost(anatomy, selection, batch_size=1, sequence_length=16).flops_step > 0
