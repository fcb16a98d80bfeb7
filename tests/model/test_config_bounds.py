"""A configuration beyond every published model is refused before anything is built."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from transformers import CONFIG_MAPPING

from qwen_ui.errors import ModelError
from qwen_ui.model import open_model
from qwen_ui.model.catalog import configuration_from_dict
from qwen_ui.model.config_bounds import refuse_beyond_bounds

TINY = {
    "model_type": "qwen2",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"inner": value}
    return value


TOO_MUCH: dict[str, tuple[dict[str, Any], str]] = {
    "layers": (
        {"num_hidden_layers": 10_000},
        "'num_hidden_layers' is 10,000, and 512 layers is the most",
    ),
    "layers of a part": (
        {"vision_config": {"depth": 9999}},
        "'vision_config.depth' is 9,999, and 512 layers",
    ),
    "layers in a list": ({"depths": [2, 2, 4096]}, "'depths' is 4,096"),
    "a float": ({"n_layer": 1e300}, "'n_layer' is 1"),
    "experts": ({"n_routed_experts": 10**6}, "'n_routed_experts' is 1,000,000, and 65,536 experts"),
    "heads": ({"num_attention_heads": 10**5}, "'num_attention_heads' is 100,000, and 4,096 heads"),
    "labels": ({"num_labels": 10**8}, "'num_labels' is 100,000,000, and 65,536 labels"),
    "words": ({"vocab_size": 10**9}, "'vocab_size' is 1,000,000,000, and 67,108,864 words"),
    "a long number": ({"hidden_size": 10**400}, "'hidden_size' is a whole number of 1,329 bits"),
    "nesting": ({"rope_scaling": nested(60)}, "is nested 17 levels deep, and 16 levels"),
    "keys": ({f"key{n}": 0 for n in range(100_000)}, "holds more than 100,000 values"),
    "items": ({"layer_types": ["full_attention"] * 100_000}, "holds more than 100,000 values"),
}


@pytest.mark.parametrize(("more", "says"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_the_field_its_value_and_the_bound_are_named(
    tmp_path: Path, more: dict[str, Any], says: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(TINY | more))
    began = time.process_time()
    with pytest.raises(ModelError) as caught:
        open_model(str(tmp_path))
    assert says in str(caught.value)
    assert time.process_time() - began < 3


def test_every_class_of_transformers_is_within_the_bounds() -> None:
    checked = 0
    for model_type, kind in CONFIG_MAPPING.items():
        try:
            values = json.loads(kind().to_json_string())
        except Exception:
            continue  # a wrapper that has no defaults
        refuse_beyond_bounds(values, model_type)
        checked += 1
    assert checked > 400


@pytest.mark.parametrize(
    "values",
    [
        {"model_type": "llama", "num_hidden_layers": 126, "num_attention_heads": 128},
        {"model_type": "deepseek_v3", "num_hidden_layers": 61, "n_routed_experts": 256},
        {"model_type": "gemma3_text", "vocab_size": 262_208},
        {"model_type": "llama4_text", "max_position_embeddings": 10_485_760},
        {"model_type": "qwen2", "id2label": {str(n): f"label {n}" for n in range(21_841)}},
    ],
    ids=["405B", "DeepSeek V3", "262k words", "10 M positions", "ImageNet's labels"],
)
def test_the_largest_published_models_are_within_the_bounds(values: dict[str, Any]) -> None:
    assert configuration_from_dict(values, where="a test").model_type == values["model_type"]


def test_no_file_chooses_the_code_that_computes_a_model() -> None:
    """transformers fetches an attention function named `owner/name` from the hub and runs it."""
    chosen = {
        "attn_implementation": "evil/kernel",
        "_attn_implementation": "evil/kernel",
        "_attn_implementation_internal": "evil/kernel",
        "experts_implementation": "evil/kernel",
        "auto_map": {"AutoModel": "evil.Model"},
    }
    text = {**TINY, **chosen}
    wrapper = {"model_type": "qwen2_5_vl", "text_config": text, "vision_config": {"depth": 2}}
    for values in (text, {**wrapper, **chosen}):
        found = configuration_from_dict(values, where="a test")
        for part in (found, found.get_text_config()):
            assert part._attn_implementation is None
            assert part._experts_implementation is None
        assert "evil" not in found.to_json_string()
