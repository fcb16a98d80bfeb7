"""Settings that trade something for memory: the same losses, or nearly, and less held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from qwen_ui.engine import checked_spec, set_up
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.engine.recompute import recompute
from qwen_ui.errors import SettingsError
from qwen_ui.freeze import apply, preset, resolve
from qwen_ui.freeze.cost.live_bytes import SavedBytes
from qwen_ui.model import open_model
from tests.helpers import tiny_models
from tests.helpers.runs import spec_for
from tests.helpers.small_models import build

WAYS: dict[str, dict[str, Any]] = {
    "gradient checkpointing": {"gradient_checkpointing": True},
    "offload": {"optimizer_offload": True},
    "8 bits": {"optimizer": "adamw_8bit"},
}


def losses(folder: Path, data: Path, tmp_path: Path, plan: str, **settings: Any) -> list[float]:
    loop = set_up(spec_for(folder, data, plan, **settings), tmp_path).loop
    return [loop.step(step).loss for step in range(1, 9)]


@pytest.mark.parametrize("plan", ["attention", "bitfit", "full"])
@pytest.mark.parametrize("way", ["gradient checkpointing", "offload"])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_losses_are_the_same(
    tiny: Path, sentences: Path, tmp_path: Path, plan: str, way: str, accumulation: int
) -> None:
    more = {"gradient_accumulation_steps": accumulation}
    plain = losses(tiny, sentences, tmp_path, plan, **more)
    assert losses(tiny, sentences, tmp_path, plan, **more, **WAYS[way]) == pytest.approx(
        plain, rel=1e-6
    )


def test_offloaded_masters_of_narrow_weights_are_the_same(sentences: Path, tmp_path: Path) -> None:
    folder = tiny_models.save_model(tmp_path / "model", "qwen2", torch.bfloat16)
    plain = losses(folder, sentences, tmp_path, "mlp", dtype="bfloat16")
    offloaded = losses(folder, sentences, tmp_path, "mlp", dtype="bfloat16", optimizer_offload=True)
    assert offloaded == pytest.approx(plain, rel=1e-6)


def test_an_8_bit_adamw_trains_nearly_alike(tiny: Path, sentences: Path, tmp_path: Path) -> None:
    plain = losses(tiny, sentences, tmp_path, "full")
    eight_bit = losses(tiny, sentences, tmp_path, "full", **WAYS["8 bits"])
    assert plain[-1] < plain[0] - 0.1
    assert eight_bit == pytest.approx(plain, rel=2e-2)


@pytest.mark.parametrize("way", list(WAYS))
def test_a_checkpoint_of_the_optimizer_goes_on_as_if_nothing_was(
    tiny: Path, sentences: Path, tmp_path: Path, way: str
) -> None:
    def loop() -> Any:
        return set_up(spec_for(tiny, sentences, "full", **WAYS[way]), tmp_path).loop

    one, other = loop(), loop()
    whole = [one.step(step).loss for step in range(1, 7)]
    first = [other.step(step).loss for step in range(1, 4)]
    held = {name: tensor.clone() for name, tensor in other.optimizer.state_tensors().items()}
    resumed = loop()
    resumed.optimizer.load_state_tensors(held)
    assert first + [resumed.step(step).loss for step in range(4, 7)] == whole


@pytest.mark.parametrize("settings", [{}, {"offload": True}, {"eight_bit": True}])
@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["gradient", "loss"])
def test_a_step_that_is_not_finite_changes_nothing(
    settings: dict[str, bool], broken: float, where: str
) -> None:
    module = torch.nn.Linear(80, 80)
    optimizer = MasterAdamW(module, weight_decay=0.1, gradient_clip=1.0, **settings)

    def step(value: float) -> torch.Tensor:
        for parameter in module.parameters():
            parameter.grad = torch.full_like(parameter, 0.01)
        if where == "gradient":
            assert module.bias.grad is not None
            module.bias.grad[3] = value
        loss = torch.tensor(value if where == "loss" else 1.0)
        norm = optimizer.step(0.1, loss)
        optimizer.zero_grad()
        return norm

    step(0.01)
    before = {name: tensor.clone() for name, tensor in optimizer.state_tensors().items()}
    weights = [parameter.clone() for parameter in module.parameters()]
    norm = step(broken)
    assert bool(norm.isfinite()) == (where == "loss")
    after = optimizer.state_tensors()
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]), name
    for parameter, was in zip(module.parameters(), weights, strict=True):
        assert torch.equal(parameter, was)
    step(0.01)
    assert not torch.equal(module.weight, weights[0])


def test_recomputed_blocks_save_their_input_alone() -> None:
    saved = {}
    for way in (False, True):
        model = build("qwen2").train()
        selection = resolve(preset("full"), open_model(model))
        apply(selection, model)
        if way:
            recompute(model.get_submodule(selection.anatomy.stack))
        storages = SavedBytes(model)
        with saved_tensors_hooks(storages.pack, lambda tensor: tensor):
            tokens = torch.arange(60).view(2, 30)
            model(input_ids=tokens, labels=tokens).loss.backward()
        saved[way] = sum(storage.nbytes() for storage in storages.storages.values())
        gradient = model.get_input_embeddings().weight.grad
        assert gradient is not None
        assert gradient.abs().sum() > 0
    assert saved[True] < saved[False] / 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"optimizer": "adamw_8bit", "optimizer_offload": True}, "exclude each other"),
        ({"sharded": True, "optimizer_offload": True, "processes": 2}, "exclude each other"),
        ({"optimizer": "adamw_8bit"}, "pip install bitsandbytes"),
        (
            {"prefix": "stream", "sharded": True, "processes": 2},
            "read one by one are never held, so that sharding",
        ),
    ],
)
def test_what_cannot_be_is_told_before_launch(
    tiny: Path, sentences: Path, settings: dict[str, Any], said: str, monkeypatch: Any
) -> None:
    if said.startswith("pip"):
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=said):
        checked_spec(
            model=str(tiny), plan=preset("attention"), data=str(sentences), steps=2, **settings
        )
