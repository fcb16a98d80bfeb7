"""Token ids that the embedding lacks are refused before launch, in set-up and in the preview."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from qwen_ui.data import padding_id
from qwen_ui.engine import checked_spec
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.sample import continuation
from qwen_ui.engine.setup import set_up
from qwen_ui.errors import ModelError
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import embedding_rows, open_model
from qwen_ui.model.weights import load_model, load_tokenizer
from qwen_ui.runs import make_spec
from qwen_ui.ui.page import Session
from qwen_ui.ui.train.preview import shown_data
from tests.helpers.checkpoint_families import save_family
from tests.helpers.tiny_models import SENTENCES, byte_tokenizer

SAID = r"gives '<one-more>' the id 260, and the embedding of '.*' has 260 rows"


def _model(folder: Path, text: str) -> tuple[str, str]:
    """A model of 260 rows whose tokenizer has a token more, and data that end with this text."""
    save_family(folder / "model", "llama")
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([f"<more-{i}>" for i in range(len(tokenizer), 260)] + ["<one-more>"])
    tokenizer.save_pretrained(folder / "model")
    data = folder / "data.jsonl"
    data.write_text("\n".join(json.dumps({"text": t}) for t in [*SENTENCES, text]))
    return str(folder / "model"), str(data)


def test_a_token_without_a_row_is_refused_everywhere(tmp_path: Path) -> None:
    model, data = _model(tmp_path, "and <one-more> comes late")
    plan = preset("attention")
    with pytest.raises(ModelError, match=SAID):
        checked_spec(model=model, plan=plan, data=data, steps=1)
    with pytest.raises(ModelError, match=SAID):
        set_up(make_spec(model=model, plan=plan.to_dict(), data=data, steps=1), tmp_path)
    shown = shown_data(Session(), model, data, 64, False).tokens
    assert "one-more" in shown
    assert "has 260 rows" in shown


def test_a_token_that_no_sample_has_hinders_nothing(tmp_path: Path) -> None:
    model, data = _model(tmp_path, "nothing new here")
    checked_spec(model=model, plan=preset("attention"), data=data, steps=1)
    with pytest.raises(ModelError, match=r"Sample prompt .* the id 260"):
        checked_spec(
            model=model, plan=preset("attention"), data=data, steps=1,
            sample_prompts=("say <one-more>",),
        )  # fmt: skip


def test_padding_takes_a_row_that_exists() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    assert padding_id(tokenizer, len(tokenizer) - 1) == 0
    assert padding_id(tokenizer, len(tokenizer)) == len(tokenizer) - 1


@pytest.mark.parametrize(("prompt", "tokens"), [("ab", 500), ("word " * 40, 500), ("a" * 127, 9)])
def test_sampling_stays_within_learned_positions(tmp_path: Path, prompt: str, tokens: int) -> None:
    anatomy = open_model(str(save_family(tmp_path, "gpt2")))
    assert embedding_rows(anatomy) == 260
    model = load_model(tmp_path, anatomy, torch.float32)
    model.generation_config.eos_token_id = None
    trainee = Trainee(model, resolve(preset("attention"), anatomy), cache_prefix=False)
    assert continuation(trainee, load_tokenizer(tmp_path), prompt, tokens) != ""


def test_the_note_on_long_sequences_is_in_the_preview(tmp_path: Path) -> None:
    model, data = _model(tmp_path, "nothing new here")
    assert "beyond the 128 positions" in shown_data(Session(), model, data, 129, False).tokens
    assert "beyond" not in shown_data(Session(), model, data, 128, False).tokens
