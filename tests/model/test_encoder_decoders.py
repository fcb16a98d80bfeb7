"""What reads its text through an encoder is known by what is built, not by names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import CONFIG_MAPPING, LEDConfig, PreTrainedConfig

from qwen_ui.engine.request import check_spec
from qwen_ui.errors import ModelError
from qwen_ui.freeze import preset
from qwen_ui.model import open_model
from qwen_ui.runs import make_spec
from tests.helpers.tiny_families import tiny_configuration
from tests.helpers.tiny_wrappers import WRAPPERS


def led() -> PreTrainedConfig:
    """Its names begin with `led.encoder.`."""
    return LEDConfig(
        vocab_size=64,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        attention_window=4,
    )


MADE: dict[str, Callable[[], PreTrainedConfig]] = {
    "led": led,
    "florence2": CONFIG_MAPPING["florence2"],
}


@pytest.mark.parametrize("model_type", ["t5", "mt5", "led", "florence2"])
def test_an_encoder_with_a_decoder_is_one_and_is_refused(model_type: str, tmp_path: Path) -> None:
    configuration = MADE[model_type]() if model_type in MADE else tiny_configuration(model_type)
    anatomy = open_model(configuration)
    assert anatomy.encoder_decoder
    data = tmp_path / "data.jsonl"
    data.write_text('{"text": "stone"}\n')
    plan = preset("full").to_dict()
    spec = make_spec(model=anatomy.source, plan=plan, data=str(data), sequence_length=16, steps=1)
    with pytest.raises(ModelError, match="an encoder with a decoder"):
        check_spec(spec, anatomy)


@pytest.mark.parametrize(
    "model_type", ["bart", "whisper", "prophetnet", "bigbird_pegasus", "llama"]
)
def test_a_decoder_taken_out_of_one_is_none(model_type: str) -> None:
    assert not open_model(tiny_configuration(model_type)).encoder_decoder


@pytest.mark.parametrize("model_type", WRAPPERS)
def test_a_decoder_with_an_image_tower_is_none(model_type: str) -> None:
    assert not open_model(WRAPPERS[model_type]()).encoder_decoder
