"""The price of a step in the worker's own way, held against that step."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from qwen_ui.data.batches import Batch, Examples, collate
from qwen_ui.data.tokens import Example
from qwen_ui.engine import optimizer
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.step_price import as_worker
from qwen_ui.freeze import StepSettings, apply, preset, resolve
from qwen_ui.freeze.cost.estimate import price
from qwen_ui.freeze.cost.live_bytes import LiveBytes, SavedBytes, flop_counter
from qwen_ui.model import open_model
from qwen_ui.model.weights.loading import load_model
from tests.helpers.tiny_models import save_model

BATCH, LENGTH = 4, 32


def full_batch() -> Batch:
    """No padding: every position but the last carries loss."""
    tokens = torch.randint(0, 200, (BATCH, LENGTH), generator=torch.Generator().manual_seed(0))
    carries = (False, *[True] * (LENGTH - 1))
    items = tuple(Example(tuple(row), carries, "") for row in tokens.tolist())
    return collate(Examples(items), tuple(range(BATCH)), 0)


@pytest.mark.slow
@pytest.mark.parametrize("keep_prefix", [True, False])
@pytest.mark.parametrize(
    ("family", "plan", "layers"),
    [
        ("qwen2", "attention", "last:2"),
        ("qwen2", "bitfit", "last:2"),
        ("qwen2", "full", "all"),
        ("llama", "full", "last:2"),
        ("gpt2", "mlp", "1-2"),
    ],
)
def test_the_price_is_what_the_worker_s_step_takes(
    tmp_path: Path, family: str, plan: str, layers: str, keep_prefix: bool
) -> None:
    anatomy = open_model(str(save_model(tmp_path, family)))
    model = load_model(tmp_path, anatomy, torch.float32)
    selection = resolve(preset(plan, layers), anatomy)
    apply(selection, model)
    trainee, batch = Trainee(model, selection, cache_prefix=keep_prefix), full_batch()
    kept = None if trainee.cut is None else trainee.cut.run_prefix(batch.inputs)
    saved = SavedBytes(model)
    live = LiveBytes()
    with flop_counter() as counter, live:
        with saved_tensors_hooks(saved.pack, lambda tensor: tensor):
            loss = trainee(batch, kept)
        activations = saved.total
        saved.storages.clear()
        loss.backward()
    settings = StepSettings(batch_size=BATCH, sequence_length=LENGTH)
    cost = price(anatomy, selection, as_worker(settings, dtype="float32", keep_prefix=keep_prefix))
    assert cost.flops_step == counter.get_total_flops()
    assert cost.activation_bytes == pytest.approx(activations, rel=0.02)
    fixed = cost.weight_bytes + cost.optimizer_bytes + cost.origin_bytes
    assert cost.peak_bytes - fixed == pytest.approx(live.peak, rel=0.05)
    assert cost.origin_bytes == 4 * selection.trainable_parameters
    assert cost.master_bytes == 0


@pytest.mark.parametrize("portion", [1, 128 * 1024**2])
def test_the_price_knows_what_masters_take_for_their_step(
    tmp_path: Path, portion: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short step of everything in bfloat16: its gradients in float32 are the most of it."""
    monkeypatch.setattr(optimizer, "PORTION_BYTES", portion)
    save_model(tmp_path, "qwen2", torch.bfloat16)
    anatomy = open_model(str(tmp_path))
    model = load_model(tmp_path, anatomy, torch.bfloat16)
    selection = resolve(preset("full", "all"), anatomy)
    apply(selection, model)
    adam = optimizer.MasterAdamW(model, weight_decay=0.1, gradient_clip=1.0)
    trainee, live = Trainee(model, selection, cache_prefix=False), LiveBytes()
    item = Example((1, 2), (False, True), "")
    batch = collate(Examples((item,)), (0,), 0)
    trainee(batch).backward()
    adam.step(1e-3)
    adam.zero_grad()
    with live:
        trainee(batch).backward()
        adam.step(1e-3)
    settings = as_worker(
        StepSettings(batch_size=1, sequence_length=2), dtype=None, keep_prefix=False
    )
    assert settings.engine is not None
    engine = replace(settings.engine, wide_gradients=portion)
    cost = price(anatomy, selection, replace(settings, engine=engine))
    fixed = cost.weight_bytes + cost.optimizer_bytes + cost.origin_bytes + cost.master_bytes
    assert cost.peak_bytes - fixed == pytest.approx(live.peak, rel=0.05)


@pytest.mark.parametrize("length", [2, 64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_price_knows_the_sums_of_several_micro_batches(
    tmp_path: Path, dtype: torch.dtype, length: int
) -> None:
    """What the loop does for three of them; in bfloat16 the sums are float32."""
    save_model(tmp_path, "qwen2", dtype)
    anatomy = open_model(str(tmp_path))
    model = load_model(tmp_path, anatomy, dtype)
    selection = resolve(preset("full", "last:2"), anatomy)
    apply(selection, model)
    adam = optimizer.MasterAdamW(model, weight_decay=0.1, gradient_clip=1.0)
    trainee, live = Trainee(model, selection, cache_prefix=False), LiveBytes()
    item = Example(tuple(range(1, length + 1)), (False, *[True] * (length - 1)), "")
    batch = collate(Examples((item,)), (0,), 0)

    def step() -> None:
        for _ in range(3):
            with adam.adding_up() if adam.narrow else nullcontext():
                trainee(batch).backward()
        adam.step(1e-3)
        adam.zero_grad()

    step()
    with live:
        step()
    settings = StepSettings(batch_size=1, sequence_length=length, gradient_accumulation_steps=3)
    cost = price(anatomy, selection, as_worker(settings, dtype=None, keep_prefix=False))
    assert cost.gradient_bytes == 4 * selection.trainable_parameters
    fixed = cost.weight_bytes + cost.optimizer_bytes + cost.origin_bytes + cost.master_bytes
    assert cost.peak_bytes - fixed == pytest.approx(live.peak, rel=0.05)
