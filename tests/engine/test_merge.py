"""After `apply`, plain transformers gives the loss that the run measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedConfig, Qwen2Config, Qwen3MoeConfig

from qwen_ui.engine import Prepared, apply_delta
from qwen_ui.engine.delta import write_delta
from qwen_ui.engine.strength import blended
from qwen_ui.errors import PlanError, RunError
from qwen_ui.freeze import FreezePlan, Rule, preset, resolve
from qwen_ui.model import open_model
from qwen_ui.model.weights import folder_fingerprint, load_model
from tests.helpers.checkpoint_families import (
    FAMILIES,
    SHAPE,
    Weights,
    change_config,
    change_weights,
    save_family,
    save_random,
)
from tests.helpers.plain_loop import plain_loss
from tests.helpers.recorded_run import record_run

EVERYTHING = FreezePlan(rules=(Rule(),))
PRESETS = ("attention", "bitfit", "mlp", "norms", "embeddings")
QUICK = [("llama", "attention"), ("qwen2", "everything"), ("mixtral", "everything")]


def train(
    folder: Path, data: Path, plan: FreezePlan, out: Path, **settings: Any
) -> tuple[float, Prepared]:
    """Two steps; (loss that the run measured, the prepared run)."""
    run, prepared = record_run(folder, data, plan, out, steps=2, learning_rate=1e-2, **settings)
    loss = run.ended["eval_loss_after"]
    assert isinstance(loss, float)
    assert loss != run.ended["eval_loss_before"]
    return loss, prepared


def merged_equals_run(
    base: Path, data: Path, plan: FreezePlan, tmp_path: Path, **settings: Any
) -> Path:
    loss, prepared = train(base, data, plan, tmp_path / "run", **settings)
    apply_delta(tmp_path / "run" / "delta.safetensors", str(base), tmp_path / "whole")
    assert plain_loss(tmp_path / "whole", prepared.data.evaluation) == pytest.approx(loss, rel=1e-6)
    return tmp_path / "whole"


def plan_of(name: str) -> FreezePlan:
    return EVERYTHING if name == "everything" else preset(name)


@pytest.mark.parametrize(("family", "plan"), QUICK)
def test_the_merged_model_has_the_loss_of_the_run(
    tmp_path: Path, sentences: Path, family: str, plan: str
) -> None:
    base = save_family(tmp_path / "base", family)
    whole = merged_equals_run(base, sentences, plan_of(plan), tmp_path)
    before, after = (load_file(f / "model.safetensors") for f in (base, whole))
    assert {n: (t.dtype, t.shape) for n, t in before.items()} == {
        n: (t.dtype, t.shape) for n, t in after.items()
    }


@pytest.mark.long
@pytest.mark.parametrize("plan", [*PRESETS, "everything"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_merged_model_has_the_loss_of_the_run_in_every_family(
    tmp_path: Path, sentences: Path, family: str, plan: str
) -> None:
    base = save_family(tmp_path / "base", family)
    chosen = plan_of(plan)
    try:
        names = resolve(chosen, open_model(str(base))).names
    except PlanError:
        names = frozenset[str]()
    if not names:
        pytest.skip(f"{family} has nothing of {plan}")
    merged_equals_run(base, sentences, chosen, tmp_path)


def with_head(weights: Weights) -> Weights:
    return weights | {"lm_head.weight": weights["model.embed_tokens.weight"]}


def with_other_head(weights: Weights) -> Weights:
    return weights | {"lm_head.weight": weights["model.embed_tokens.weight"] * 1.5}


def with_head_alone(weights: Weights) -> Weights:
    return {n.replace("model.embed_tokens", "lm_head"): w for n, w in weights.items()}


def with_short_names(weights: Weights) -> Weights:
    return {name.removeprefix("model."): w for name, w in weights.items()}


@pytest.mark.parametrize(
    "change",
    [with_head, with_other_head, with_head_alone, with_short_names],
    ids=lambda c: c.__name__,
)
def test_every_name_of_a_trained_tensor_is_written(
    tmp_path: Path, sentences: Path, change: Callable[[Weights], Weights]
) -> None:
    base = change_weights(save_family(tmp_path / "base", "qwen3"), change)
    whole = merged_equals_run(base, sentences, EVERYTHING, tmp_path)
    written = load_file(whole / "model.safetensors")
    assert written.keys() == load_file(base / "model.safetensors").keys()
    tied = json.loads((whole / "config.json").read_text())["tie_word_embeddings"]
    assert tied == (change is not with_other_head)
    if change is with_head:
        assert torch.equal(written["lm_head.weight"], written["model.embed_tokens.weight"])


def test_adapters_and_a_byte_order_mark_are_merged_too(tmp_path: Path, sentences: Path) -> None:
    base = save_family(tmp_path / "base", "qwen2")
    config = base / "config.json"
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())
    merged_equals_run(base, sentences, preset("attention"), tmp_path, lora_rank=2)


def test_what_is_not_trained_keeps_its_dtype_and_what_rounding_costs_is_said(
    tmp_path: Path, sentences: Path
) -> None:
    def mixed(weights: Weights) -> Weights:
        return {n: w if "norm" in n else w.bfloat16() for n, w in weights.items()}

    base = change_weights(save_family(tmp_path / "base", "mixtral"), mixed)
    change_config(base, dtype="bfloat16")
    train(base, sentences, preset("attention"), tmp_path / "run")
    done = apply_delta(tmp_path / "run" / "delta.safetensors", str(base), tmp_path / "whole")
    assert 0 < done.rounding < 0.5
    assert "stored in" in done.note
    before, after = (load_file(f / "model.safetensors") for f in (base, tmp_path / "whole"))
    assert all(after[name].dtype == w.dtype for name, w in before.items())
    assert {n for n, w in before.items() if not torch.equal(w, after[n])} == {
        n for n in before if "self_attn" in n
    }


def save_large(folder: Path, configuration: PreTrainedConfig, plan: str) -> tuple[Path, Path]:
    """(a base in bfloat16, a delta of this preset on its last block)."""
    save_random(folder / "base", configuration)
    change_weights(folder / "base", lambda all_: {n: w.bfloat16() for n, w in all_.items()})
    change_config(folder / "base", dtype="bfloat16")
    anatomy = open_model(str(folder / "base"))
    selection = resolve(preset(plan, "last:1"), anatomy)
    generator = torch.Generator().manual_seed(1)
    tensors = {
        p.name: torch.randn(p.shape, generator=generator)
        for p in anatomy.parameters
        if p.name in selection.names
    }
    write_delta(
        folder / "delta.safetensors",
        tensors,
        base=folder_fingerprint(folder / "base"),
        plan=selection.plan.to_dict(),
        spec={"model": str(folder / "base")},
        step=1,
    )
    return folder / "base", folder / "delta.safetensors"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(a base of 114 MB, a delta of its last block's attention)."""
    shape = SHAPE | {"hidden_size": 1024, "intermediate_size": 2048, "num_hidden_layers": 6}
    return save_large(tmp_path_factory.mktemp("large"), Qwen2Config(**shape), "attention")


@pytest.fixture(scope="module")
def experts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(a base of 108 MB, mostly experts that are stored singly, a delta of its last block's)."""
    shape: dict[str, Any] = SHAPE | {"hidden_size": 256, "num_hidden_layers": 17, "head_dim": 8}
    moe: dict[str, Any] = {"moe_intermediate_size": 512, "num_experts": 8, "num_experts_per_tok": 2}
    folder = tmp_path_factory.mktemp("experts")
    return save_large(folder, Qwen3MoeConfig(**shape, **moe, tie_word_embeddings=False), "mlp")


def merge_limited(base: Path, delta: Path, out: Path, strength: float) -> None:
    """`apply` with room for little more than half of the base."""
    room = 64 * 1024**2
    assert (base / "model.safetensors").stat().st_size > 1.6 * room
    command = [sys.executable, "-m", "tests.helpers.limited_apply", str(delta), str(base)]
    subprocess.run([*command, str(out), str(strength), str(room)], check=True)


@pytest.mark.slow
def test_stacked_experts_are_merged_in_less_memory_than_the_model_has(
    experts: tuple[Path, Path], tmp_path: Path
) -> None:
    base, delta = experts
    merge_limited(base, delta, tmp_path / "whole", 0.5)
    anatomy, trained = open_model(str(base)), load_file(delta)
    assert any(tensor.dim() == 3 for tensor in trained.values())
    before, after = (
        dict(load_model(folder, anatomy, torch.bfloat16).named_parameters())
        for folder in (base, tmp_path / "whole")
    )
    assert after.keys() == before.keys() >= trained.keys()
    for name, tensor in after.items():
        tuned = trained.get(name, before[name])
        expected = blended(before[name].detach(), tuned, 0.5).to(torch.bfloat16)
        assert torch.equal(tensor, expected), name


@pytest.mark.slow
def test_a_model_is_merged_in_less_memory_than_it_has(
    large: tuple[Path, Path], tmp_path: Path
) -> None:
    base, delta = large
    merge_limited(base, delta, tmp_path / "whole", 0.5)
    before, trained = load_file(base / "model.safetensors"), load_file(delta)
    after = load_file(tmp_path / "whole" / "model.safetensors")
    assert after.keys() == before.keys()
    for name, tensor in after.items():
        tuned = trained.get(name, before[name])
        expected = blended(before[name], tuned, 0.5).to(torch.bfloat16)
        assert torch.equal(tensor, expected), name


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    large: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, delta = large
    usage = type(shutil.disk_usage(tmp_path))(total=2**30, used=2**30 - 2**20, free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(RunError, match=r"needs \d+ MB on the disk.* 1\.05 MB are free"):
        apply_delta(delta, str(base), tmp_path / "deep" / "whole")
    assert not (tmp_path / "deep").exists()
