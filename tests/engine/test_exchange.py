"""Deltas exchanged in place on one base: bitwise back, as merged, and the base once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from qwen_ui.engine import BASE, Exchange, apply_delta, read_delta
from qwen_ui.engine.delta import Delta
from qwen_ui.errors import RunError
from qwen_ui.freeze import preset
from qwen_ui.model import open_model
from qwen_ui.model.weights import load_model
from tests.helpers.recorded_run import record_run

Runs = dict[str, Path]


@pytest.fixture(scope="module")
def runs(tiny: Path, sentences: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The folders of an attention run, one of the whole model, and a LoRA run on one base."""
    folder = tmp_path_factory.mktemp("runs")
    for name, plan, rank in (
        ("attention", "attention", 0),
        ("full", "full", 0),
        ("lora", "mlp", 2),
    ):
        record_run(
            tiny, sentences, preset(plan), folder / name,
            steps=2, learning_rate=1e-2, lora_rank=rank,
        )  # fmt: skip
    return {path.name: path for path in folder.iterdir()}


def loaded(folder: Path, dtype: torch.dtype) -> nn.Module:
    return load_model(folder, open_model(str(folder)), dtype).eval()


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def delta_of(folder: Path) -> Delta:
    return read_delta(folder / "delta.safetensors")


def differing(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in a if not torch.equal(a[name], b[name])}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_base_comes_back_to_the_bit_whatever_was_in_it(
    tiny: Path, runs: Runs, dtype: torch.dtype
) -> None:
    model = loaded(tiny, dtype)
    base, exchange = state(model), Exchange(model)
    places = {name: p.data_ptr() for name, p in model.named_parameters()}
    made = [exchange.values(delta_of(runs[n]), s) for n in runs for s in (0.0, 0.5, 1.0, 2.0)]
    for values in (*made, *reversed(made)):
        exchange.put(values)
        held = state(model)
        assert differing(base, held) <= values.keys()
        assert all(torch.equal(held[name], value) for name, value in values.items())
    exchange.put(BASE)
    assert differing(base, state(model)) == set()
    exchange.put(made[1])
    exchange.keep_only([])
    assert differing(base, state(model)) == set()
    assert not exchange._kept
    assert {name: p.data_ptr() for name, p in model.named_parameters()} == places


def test_what_is_kept_of_the_base_is_what_the_deltas_hold(tiny: Path, runs: Runs) -> None:
    exchange = Exchange(loaded(tiny, torch.float32))
    attention, lora = (delta_of(runs[name]) for name in ("attention", "lora"))
    values = [exchange.values(attention), exchange.values(lora), exchange.values(attention, 0.5)]
    assert exchange._kept.keys() == attention.weights.keys() | lora.weights.keys()
    exchange.keep_only(values[1:2])
    assert exchange._kept.keys() == lora.weights.keys()


@pytest.mark.parametrize("name", ["attention", "full", "lora"])
def test_the_whole_strength_is_what_the_merge_writes(
    tiny: Path, runs: Runs, name: str, tmp_path: Path
) -> None:
    model = loaded(tiny, torch.float32)
    exchange = Exchange(model)
    values = exchange.values(delta_of(runs[name]))
    apply_delta(runs[name] / "delta.safetensors", str(tiny), tmp_path / "whole")
    written = load_file(tmp_path / "whole" / "model.safetensors")
    assert all(torch.equal(values[key], written[key]) for key in values)
    exchange.put(values)
    merged = loaded(tmp_path / "whole", torch.float32)
    ids = torch.arange(5, 25).reshape(1, 20)
    forward: list[Callable[..., object]] = [model, merged]
    with torch.no_grad():
        here, there = (run(ids).logits for run in forward)  # type: ignore[attr-defined]
    assert torch.equal(here, there)


def test_a_tuned_weight_at_a_strength_is_not_changed_by_the_one_before(
    tiny: Path, runs: Runs
) -> None:
    """What is blended is the base's value, not what stands in the model at the time."""
    model = loaded(tiny, torch.float32)
    exchange = Exchange(model)
    alone = exchange.values(delta_of(runs["attention"]), 0.5)
    exchange.put(exchange.values(delta_of(runs["full"]), 3.0))
    again = exchange.values(delta_of(runs["attention"]), 0.5)
    assert differing(alone, again) == set()


def test_a_delta_of_another_model_is_refused(tiny: Path, runs: Runs) -> None:
    model = loaded(tiny, torch.float32)
    delta = delta_of(runs["attention"])
    other = Delta({"no.such.weight": torch.ones(2)}, delta.base, delta.plan, delta.settings)
    with pytest.raises(RunError, match=r"no\.such\.weight"):
        Exchange(model).values(other)
