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
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.lora import adapted_modules, add_adapters
from qwen_ui.engine.rates import suggest_learning_rate
from qwen_ui.engine.request import checked_spec
from qwen_ui.engine.setup import set_up
from qwen_ui.engine.trainer import Trainer
from qwen_ui.errors import PlanError, SettingsError
from qwen_ui.freeze import FreezePlan, Rule, apply, preset, resolve
from qwen_ui.model import open_model
from qwen_ui.runs import NullWriter, make_spec
from tests.helpers.settings import SETTINGS
from tests.helpers.small_models import build
from tests.helpers.tiny_families import tiny_configuration
from tests.helpers.tiny_models import byte_tokenizer

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
    before = prepared.loop.evaluate().loss
    trainer = Trainer(prepared, NullWriter(tmp_path))
    trainer.run()
    now = dict(model.named_parameters())
    assert all(torch.equal(now[name], value) for name, value in frozen.items())
    assert all(now[name].abs().sum() > 0 for name in trained)
    after = prepared.loop.evaluate().loss
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
    suggested = suggest_learning_rate(selection, steps=40, batch=8, lora=True)
    mlp = resolve(preset("mlp", "last:2"), selection.anatomy)
    assert suggested.rate > suggest_learning_rate(mlp, steps=40, batch=8).rate
    del settings["lora_rank"], settings["learning_rate"]
    entries = make_comparison("nano", parse_plans("attention,lora"), **settings).entries
    assert [entry.spec.model.lora_rank for entry in entries] == [0, 8]
    assert entries[0].spec.plan == entries[1].spec.plan


@pytest.mark.parametrize("family", ["gpt2", "qwen2_moe", "gpt_oss"])
def test_conv1d_and_stacked_experts_are_adapted_and_their_delta_is_the_same_model(
    tmp_path: Path, family: str
) -> None:
    """In float32 the merged checkpoint gives, in plain transformers, the run's own logits."""
    torch.manual_seed(0)
    configuration = tiny_configuration(family)
    configuration.dtype = torch.float32
    folder = tmp_path / family
    AutoModelForCausalLM.from_config(configuration).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat and the dog ran\n" * 40)
    plan = FreezePlan(rules=(Rule(layers="last:2"),))
    spec = make_spec(
        model=str(folder),
        plan=plan.to_dict(),
        data=str(text),
        steps=3,
        sequence_length=32,
        lora_rank=RANK,
        learning_rate=1e-2,
        sample_tokens=0,
        device="cpu",
    )
    prepared = set_up(spec, tmp_path)
    adapted = adapted_modules(prepared.base.selection)
    assert adapted.experts if family != "gpt2" else not adapted.experts
    assert any("LoRA adapts matrices alone" in note for note in prepared.notes)
    Trainer(prepared, NullWriter(tmp_path)).run()
    delta = read_delta(tmp_path / "delta.safetensors")
    assert set(delta.weights) == {
        *(f"{name}.weight" for name in adapted.modules),
        *adapted.experts,
    }
    assert all(change.abs().max() > 0 for change in delta.weights.values())
    apply_delta(tmp_path / "delta.safetensors", str(folder), tmp_path / "whole")
    tokens = torch.arange(3, 35).reshape(1, 32)
    with torch.no_grad():
        adapted_logits = prepared.model.eval()(tokens).logits
        whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole").eval()(tokens).logits
        plain = AutoModelForCausalLM.from_pretrained(folder).eval()(tokens).logits
    torch.testing.assert_close(whole, adapted_logits, rtol=1e-5, atol=1e-5)
    assert (whole - plain).abs().max() > 1e-3


def test_what_lora_leaves_is_named() -> None:
    anatomy = open_model("nano")
    everything = adapted_modules(resolve(preset("full"), anatomy))
    assert "embeddings (1)" in everything.note
    assert "norms (" in everything.note
    assert "biases (" in everything.note
    matrices = FreezePlan(rules=(Rule(names=("*.mlp.up_proj.weight",)),))
    assert adapted_modules(resolve(matrices, anatomy)).note == ""


def test_a_refusal_names_what_is_selected() -> None:
    with pytest.raises(PlanError, match=r"selects none: biases \(\d+\)"):
        adapted_modules(resolve(preset("bitfit"), open_model("nano")))


def test_an_adapted_head_is_not_computed_from_its_weight_alone() -> None:
    model = build("llama")
    selection = resolve(FreezePlan(rules=(Rule(roles=("head",)),)), open_model(model))
    apply(selection, model)
    assert Trainee(model, selection, cache_prefix=True).chunked
    add_adapters(model, selection, RANK, 0)
    assert not Trainee(model, selection, cache_prefix=True).chunked
