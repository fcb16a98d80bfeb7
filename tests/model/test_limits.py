"""How long a sequence may be is known before it runs, in every place alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, GitConfig, OPTConfig, PreTrainedConfig, RobertaConfig, T5Config

from qwen_ui.engine import checked_spec
from qwen_ui.errors import ModelError, SettingsError
from qwen_ui.freeze import estimate_cost, preset, resolve
from qwen_ui.model import length_note, open_model, refuse_length
from qwen_ui.model.limits import learned_positions
from tests.helpers.checkpoint_families import save_family
from tests.helpers.tiny_wrappers import WRAPPERS

_SMALL: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}


def test_learned_positions_are_refused_alike_by_price_and_request(tmp_path: Path) -> None:
    anatomy = open_model(str(save_family(tmp_path, "gpt2")))
    refuse_length(anatomy, 128)
    said = r"has 128 learned positions, and the sequence length is 129\. Choose 128"
    plan = preset("attention")
    with pytest.raises(SettingsError, match=said):
        estimate_cost(anatomy, resolve(plan, anatomy), batch_size=1, sequence_length=129)
    with pytest.raises(SettingsError, match=said):
        checked_spec(model=str(tmp_path), plan=plan, data="x", steps=1, sequence_length=129)


@pytest.mark.parametrize(
    ("configuration", "limit"),
    [
        (OPTConfig(**_SMALL, ffn_dim=16, word_embed_proj_dim=16, max_position_embeddings=40), 40),
        (BertConfig(**_SMALL, is_decoder=True, max_position_embeddings=40), 40),
        (RobertaConfig(**_SMALL, is_decoder=True, max_position_embeddings=40), 38),
    ],
    ids=["opt", "bert", "roberta"],
)
def test_rows_before_the_first_position_do_not_count(
    configuration: PreTrainedConfig, limit: int
) -> None:
    assert learned_positions(open_model(configuration)) == limit


@pytest.mark.parametrize("wrapper", ["gemma3", "llava", "paligemma"])
def test_a_towers_patches_are_no_positions_of_text(wrapper: str) -> None:
    assert learned_positions(open_model(WRAPPERS[wrapper]())) is None


def test_a_decoder_beside_a_tower_has_its_own_positions() -> None:
    tower = {"hidden_size": 16, "num_attention_heads": 2, "image_size": 32, "patch_size": 16}
    configuration = GitConfig(**_SMALL, max_position_embeddings=40, vision_config=tower)
    assert learned_positions(open_model(configuration)) == 40


def test_rotary_positions_go_on_with_a_note(tmp_path: Path) -> None:
    anatomy = open_model(str(save_family(tmp_path, "llama")))
    refuse_length(anatomy, 1000)
    assert length_note(anatomy, 128) == ""
    assert "beyond the 128 positions" in length_note(anatomy, 129)


def test_an_encoder_with_a_decoder_is_refused_before_launch() -> None:
    sizes: dict[str, Any] = {
        "vocab_size": 64,
        "d_model": 16,
        "d_kv": 8,
        "d_ff": 16,
        "num_layers": 2,
        "num_heads": 2,
    }
    with pytest.raises(ModelError, match="only decoders are trained here"):
        checked_spec(
            model="t5", anatomy=open_model(T5Config(**sizes)), plan=preset("attention"), data="x",
            steps=1,
        )  # fmt: skip
