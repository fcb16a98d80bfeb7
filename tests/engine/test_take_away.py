"""Adapter folder and snippet give the run's own loss in plain transformers and peft."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from qwen_ui.engine import loading_snippet, write_adapter
from qwen_ui.engine.snippet import loadable_name
from qwen_ui.errors import RunError
from qwen_ui.freeze import FreezePlan, Rule, preset
from qwen_ui.model import open_model
from tests.helpers.checkpoint_families import save_family
from tests.helpers.plain_loop import loss_of
from tests.helpers.recorded_run import record_run
from tests.helpers.tiny_families import tiny_configuration
from tests.helpers.tiny_models import byte_tokenizer, save_model

LONG = pytest.mark.long
MATRICES = FreezePlan(rules=(Rule(layers="last:2"),))


def saved(folder: Path, family: str) -> Path:
    if family in {"qwen2", "gpt2"}:
        return save_model(folder, family)
    torch.manual_seed(0)
    configuration = tiny_configuration(family)
    configuration.dtype = torch.float32
    AutoModelForCausalLM.from_config(configuration).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize(
    "family", ["qwen2", "gpt2", *(pytest.param(f, marks=LONG) for f in ("qwen2_moe", "gpt_oss"))]
)
def test_peft_loads_the_adapter_and_gives_the_run_s_loss(
    tmp_path: Path, sentences: Path, family: str
) -> None:
    base = saved(tmp_path / "base", family)
    run, prepared = record_run(
        base, sentences, MATRICES, tmp_path / "run", steps=2, learning_rate=1e-2, lora_rank=2
    )
    delta = tmp_path / "run" / "delta.safetensors"
    folder = write_adapter(delta, tmp_path / "adapter")
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base)
    assert (config["r"], config["task_type"]) == (2, "CAUSAL_LM")
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    before = loss_of(plain, prepared.data.evaluation)
    adapted = PeftModel.from_pretrained(plain, folder)
    loss = loss_of(adapted, prepared.data.evaluation)
    assert loss == pytest.approx(run.ended["eval_loss_after"], rel=1e-6)
    assert loss != pytest.approx(before, rel=1e-4)
    with pytest.raises(RunError, match="exists already"):
        write_adapter(delta, folder)


def test_a_run_of_weights_is_no_adapter(tmp_path: Path, tiny: Path, sentences: Path) -> None:
    record_run(tiny, sentences, preset("attention"), tmp_path / "run", steps=1)
    with pytest.raises(RunError, match="not LoRA adapters"):
        write_adapter(tmp_path / "run" / "delta.safetensors", tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


@pytest.mark.parametrize(("family", "rank"), [("qwen2", 0), ("gpt2", 2), ("mixtral", 2)])
def test_the_snippet_gives_the_run_s_loss(
    tmp_path: Path, sentences: Path, family: str, rank: int
) -> None:
    base = (
        save_family(tmp_path / "a 'base'", family)
        if family == "mixtral"
        else saved(tmp_path / "a 'base'", family)
    )
    run, prepared = record_run(
        base, sentences, MATRICES, tmp_path / "run", steps=2, learning_rate=1e-2, lora_rank=rank
    )
    text = loading_snippet(
        loadable_name(open_model(str(base))),
        str(tmp_path / "run" / "delta.safetensors"),
        adapters=bool(rank),
    )
    assert "qwen_ui" not in text.replace(str(tmp_path), "")
    names: dict[str, torch.nn.Module] = {}
    exec(compile(text, "snippet", "exec"), names)
    loss = loss_of(names["model"], prepared.data.evaluation)
    assert loss == pytest.approx(run.ended["eval_loss_after"], rel=1e-6)
    assert loss != pytest.approx(run.ended["eval_loss_before"], rel=1e-4)
