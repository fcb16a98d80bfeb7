"""What can be opened, and what a person is told where it cannot."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil
import pytest
from transformers import AutoModelForCausalLM, FalconH1Config, Qwen2Config

from qwen_ui.errors import ModelError
from qwen_ui.limited import Limits
from qwen_ui.model import open_model, open_within_limits, preset_models
from qwen_ui.model.remote_code import VARIABLE

TINY = {
    "model_type": "qwen2",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
}


def write(folder: Path, text: str) -> Path:
    file = folder / "config.json"
    file.write_text(text)
    return file


def test_presets_are_in_order_of_size() -> None:
    assert preset_models()[:3] == ("nano", "qwen2.5-0.5b-instruct", "qwen2.5-1.5b-instruct")
    assert len(preset_models()) == 8


def test_a_folder_and_a_bare_configuration_open_the_same(tmp_path: Path) -> None:
    file = write(tmp_path, json.dumps(TINY))
    assert open_model(str(file)).parameters == open_model(str(tmp_path)).parameters


def test_code_that_a_configuration_names_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('was run')")
    auto_map = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    write(tmp_path, json.dumps(TINY | {"auto_map": auto_map}))
    assert open_model(str(tmp_path)).block_count == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "names no model_type"),
        ("{}", "names no model_type"),
        ('{"model_type": "no_such_type"}', "does not know the model type 'no_such_type'"),
        (json.dumps(TINY | {"num_attention_heads": 0}), "cannot be"),
        (json.dumps(TINY | {"hidden_size": "wide"}), "cannot be"),
        ('{"model_type": "vit"}', "no causal language model of type 'vit'"),
    ],
)
def test_a_bad_configuration_is_one_clear_sentence(tmp_path: Path, text: str, says: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ModelError) as caught:
        open_model(str(tmp_path))
    assert says in str(caught.value)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (
            {"model_type": "t5", "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 3},
            "decoder.block",
        ),
        (
            {"model_type": "qwen2_5_vl", "text_config": TINY, "vision_config": {"depth": 2}},
            "model.language_model.layers",
        ),
    ],
    ids=["encoder and decoder", "images and text"],
)
def test_what_has_or_wraps_a_decoder_opens_at_the_decoder(
    tmp_path: Path, values: dict[str, object], wanted: str
) -> None:
    write(tmp_path, json.dumps(values))
    anatomy = open_model(str(tmp_path))
    assert anatomy.stack == wanted
    assert anatomy.block_count == (3 if values["model_type"] == "t5" else 2)


def test_infinity_as_transformers_writes_it_is_read_back(tmp_path: Path) -> None:
    config = FalconH1Config(
        hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=100, mamba_d_ssm=64, mamba_n_heads=4, mamba_d_head=16,
        mamba_d_state=16,
    )  # fmt: skip
    config.save_pretrained(tmp_path)
    assert "__float__" in (tmp_path / "config.json").read_text()
    assert open_model(str(tmp_path)).block_count == 2


OWN_CODE = """
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

class Config(PreTrainedConfig):
    model_type = "homemade"

class Model(PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.post_init()
"""


def test_code_that_comes_with_a_model_runs_only_where_the_process_was_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "homemade"
    folder.mkdir()
    (folder / "code.py").write_text(OWN_CODE)
    auto_map = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}
    write(folder, json.dumps({"model_type": "homemade", "auto_map": auto_map}))
    with pytest.raises(ModelError, match=r"that code is not run.*--trust-remote-code"):
        open_model(str(folder))
    monkeypatch.setenv(VARIABLE, f"some/other,{folder}")
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "code")
    )
    assert open_model(str(folder)).block_count == 3


def test_a_folder_without_a_configuration_says_which_to_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no config\.json"):
        open_model(str(tmp_path))


def test_an_oversized_configuration_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, " " * (4 * 1024 * 1024 + 1))
    with pytest.raises(ModelError, match="larger than 4 MiB"):
        open_model(str(tmp_path))


def test_a_hub_id_without_network_says_what_to_do() -> None:
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        open_model("nobody/nothing")


@pytest.mark.parametrize("name", ["", "  ", "no such model", "../../etc", "a/b/c"])
def test_nonsense_names_are_refused(name: str) -> None:
    with pytest.raises(ModelError):
        open_model(name)


@pytest.mark.parametrize(
    "values",
    [TINY, TINY | {"tie_word_embeddings": True, "dtype": "bfloat16"}],
    ids=["plain", "tied"],
)
def test_another_process_opens_the_same(tmp_path: Path, values: dict[str, object]) -> None:
    write(tmp_path, json.dumps(values))
    found, here = open_within_limits(f" {tmp_path} "), open_model(str(tmp_path))
    assert found == here
    assert found.kinds == here.kinds
    assert json.dumps(found.config) == json.dumps(here.config)
    assert found.configuration.to_dict() == here.configuration.to_dict()


def test_a_tie_that_the_files_break_is_broken_in_another_process_too(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_config(
        Qwen2Config.from_dict(TINY | {"tie_word_embeddings": False})
    )
    model.save_pretrained(tmp_path)
    write(tmp_path, json.dumps(TINY | {"tie_word_embeddings": True}))
    found, here = open_within_limits(str(tmp_path)), open_model(str(tmp_path))
    assert found == here
    assert found.notes
    assert not found.configuration.tie_word_embeddings


# Each number is within its bound, and together they are 33 million modules.
MANY_MODULES = {
    "model_type": "switch_transformers",
    "d_model": 8,
    "d_ff": 8,
    "d_kv": 4,
    "num_heads": 2,
    "vocab_size": 100,
    "num_layers": 512,
    "num_sparse_encoder_layers": 512,
    "num_experts": 65_536,
}


@pytest.mark.parametrize(
    "limits",
    [
        Limits(seconds=1.0, memory=3 * 1024**3, patience=60.0),
        Limits(seconds=60.0, memory=64 * 1024**2, patience=60.0),
    ],
    ids=["time", "memory"],
)
def test_an_opening_that_takes_too_much_is_a_sentence_and_leaves_this_process_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: Limits
) -> None:
    monkeypatch.setattr("qwen_ui.model.opening.OPENING", limits)
    write(tmp_path, json.dumps(MANY_MODULES))
    before = psutil.Process().memory_info().rss
    began = time.process_time()
    with pytest.raises(ModelError, match=r"cannot be opened: it (took|needs) more than"):
        open_within_limits(str(tmp_path))
    assert time.process_time() - began < 3
    assert psutil.Process().memory_info().rss - before < 100 * 1024**2


def test_a_mistake_found_in_another_process_is_the_same_sentence(tmp_path: Path) -> None:
    write(tmp_path, json.dumps(TINY | {"num_hidden_layers": 10_000}))
    with pytest.raises(ModelError, match="'num_hidden_layers' is 10,000"):
        open_within_limits(str(tmp_path))
