"""LoRA as a reference: what trains, what it leaves, and what it becomes on the base."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from qwen_ui.compare import Contender, lora_reference, make_comparison, parse_plans
from qwen_ui.engine.delta import apply_delta, read_delta, write_delta
from qwen_ui.engine.rates import suggest_learning_rate
from qwen_ui.engine.request import checked_spec
from qwen_ui.engine.setup import set_up
from qwen_ui.engine.trainer import Trainer
from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import preset, resolve
from qwen_ui.model import open_model
from qwen_ui.runs import NullWriter, make_spec
from tests.helpers.settings import SETTINGS

RANK = 4


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    text = Path(SETTINGS["eval_data"]).read_text(encoding="utf-8")
    (tmp_path / "eval.txt").write_text(text[:2000], encoding="utf-8")
    return {
        **SETTINGS,
        "eval_data": str(tmp_path / "eval.txt"),
        "lora_rank": RANK,
        "learning_rate": 1e-1,
    }


def test_adapters_alone_train_and_their_delta_becomes_the_same_model(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    plan = preset("attention", "last:2")
    prepared = set_up(checked_spec(model="nano", plan=plan, **settings), tmp_path)
    model = prepared.model
    frozen = {n: p.clone() for n, p in model.named_parameters() if not p.requires_grad}
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    # Per block q and o (width x width), k and v (key_value x width); A and B of each.
    config = model.config
    width = config.hidden_size
    key_value = config.num_key_value_heads * width // config.num_attention_heads
    count = 2 * RANK * (2 * (width + width) + 2 * (width + key_value))
    assert len(trained) == 2 * 4 * 2
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == count
    assert prepared.loop.trainee.prefix_blocks == 26
    assert not any("proven" in note or "without" in note for note in prepared.notes)
    before = prepared.loop.evaluate()
    trainer = Trainer(prepared, NullWriter(tmp_path))
    trainer.run()
    now = dict(model.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in frozen.items())
    assert all(now[name].abs().sum() > 0 for name in trained)
    after = prepared.loop.evaluate()
    assert after < before

    base_folder = open_model("nano").weights_folder
    assert base_folder is not None
    delta = read_delta(tmp_path / "delta.safetensors")
    assert set(delta.tensors) == trained
    weights = {name for name in resolve(plan, open_model("nano")).names if "bias" not in name}
    assert set(delta.weights) == weights
    done = apply_delta(tmp_path / "delta.safetensors", "nano", tmp_path / "whole")
    assert done.tensors == 8
    tokens = torch.arange(1, 33).reshape(1, 32)
    with torch.no_grad():
        adapted = model.eval()(tokens).logits
        whole, plain = (
            AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()(tokens).logits
            for folder in (tmp_path / "whole", base_folder)
        )
    # The file holds bfloat16: what is put on the base is rounded to it.
    assert (whole - adapted).norm() < 0.05 * (plain - adapted).norm()
    base = load_file(base_folder / "model.safetensors")
    changed = load_file(tmp_path / "whole" / "model.safetensors")
    assert {n for n in base if not torch.equal(base[n], changed[n])} == set(delta.weights)
    for name, change in delta.weights.items():
        assert torch.equal(changed[name], (base[name].float() + change).to(base[name].dtype))


@pytest.mark.parametrize("spec", [{"lora_rank": 2}, {"schema": 2, "model": {"lora_rank": 2}}])
def test_a_delta_of_any_version_says_whether_it_holds_adapters(
    tmp_path: Path, spec: dict[str, Any]
) -> None:
    file = tmp_path / "delta.safetensors"
    tensors = {
        "q_proj.lora_A.default.weight": torch.ones(2, 3),
        "q_proj.lora_B.default.weight": torch.ones(4, 2),
    }
    write_delta(file, tensors, base="x", plan={}, spec=spec, step=1)
    assert read_delta(file).weights.keys() == {"q_proj.weight"}
    write_delta(file, tensors, base="x", plan={}, spec={}, step=1)
    assert read_delta(file).weights.keys() == tensors.keys()


def test_a_plan_without_linear_modules_is_refused_before_launch(settings: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="linear"):
        checked_spec(model="nano", plan=preset("norms"), **settings)


def test_what_cannot_be_done_is_said_before_launch(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = preset("attention")
    with pytest.raises(SettingsError, match="sharded weights"):
        make_spec(model="nano", plan=plan.to_dict(), data="x", lora_rank=8, sharded=True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="pip install peft"):
        checked_spec(model="nano", plan=plan, **settings)


def test_lora_is_named_among_plans_and_has_a_rate_of_its_own(
    settings: dict[str, Any],
) -> None:
    _, lora = parse_plans("attention,lora@last:2")
    assert isinstance(lora, Contender)
    assert lora == lora_reference("last:2")
    assert lora.name == "attention on last:2 by LoRA"
    selection = resolve(lora.plan, open_model("qwen2.5-1.5b-instruct"))
    suggested = suggest_learning_rate(selection, lora=True)
    assert suggested.rate > suggest_learning_rate(selection).rate
    assert "2106.09685" in suggested.source
    del settings["lora_rank"], settings["learning_rate"]
    entries = make_comparison("nano", parse_plans("attention,lora"), **settings).entries
    assert [entry.spec.model.lora_rank for entry in entries] == [0, 8]
    assert entries[0].spec.plan == entries[1].spec.plan
