"""How far the weights moved is the same whether their origin is held or read from the files."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from qwen_ui.engine.movement import BaseFiles, Movement
from qwen_ui.freeze import FreezePlan, Rule, Selection, resolve
from qwen_ui.model import Anatomy, open_model
from qwen_ui.model.weights import load_model
from tests.helpers.checkpoint_families import save_family

EVERYTHING = FreezePlan(rules=(Rule(),))
FAMILIES = ("qwen2", "gpt2")


def loaded(
    anatomy: Anatomy, folder: Path, dtype: torch.dtype
) -> tuple[Selection, dict[str, torch.Tensor]]:
    """Everything selected; float32 masters of the model as it is loaded in this dtype."""
    selection = resolve(EVERYTHING, anatomy)
    model = load_model(folder, anatomy, dtype, torch.device("cpu"))
    by_name = dict(model.named_parameters())
    return selection, {n: by_name[n].detach().float().clone() for n in sorted(selection.names)}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_read_from_the_files_it_is_what_it_was_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, dtype: torch.dtype
) -> None:
    save_family(tmp_path, family)
    selection, trained = loaded(open_model(str(tmp_path)), tmp_path, dtype)
    base = BaseFiles(tmp_path, dtype)
    held = Movement(trained, selection, lora=False, base=base)
    monkeypatch.setattr("qwen_ui.engine.movement.HELD_BYTES", 0)
    read = Movement(trained, selection, lora=False, base=base)
    assert {b: n for b, n in read.by_block(trained)} == dict.fromkeys(
        range(len(read.by_block(trained))), 0.0
    )
    generator = torch.Generator().manual_seed(0)
    moved = {n: t + torch.randn(t.shape, generator=generator) for n, t in trained.items()}
    exact: dict[int, float] = {}
    for name, tensor in moved.items():
        block = selection.anatomy.by_name[name].block
        if block is not None:
            change = tensor.double() - trained[name].double()
            exact[block] = exact.get(block, 0.0) + float(change.square().sum())
    for block, norm in (*held.by_block(moved), *read.by_block(moved)):
        assert norm == pytest.approx(math.sqrt(exact[block]), rel=1e-6)
    assert len(read.by_block(moved)) == len(held.by_block(moved)) == len(exact)


@pytest.mark.parametrize("family", ["mixtral", "qwen2"])
def test_it_is_not_measured_where_the_files_do_not_hold_what_was_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str
) -> None:
    """Mixtral's files hold single experts, which transformers stacks when it loads."""
    save_family(tmp_path, family)
    selection, trained = loaded(open_model(str(tmp_path)), tmp_path, torch.float32)
    if family == "qwen2":
        trained = {name: tensor + 1 for name, tensor in trained.items()}
    base = BaseFiles(tmp_path, torch.float32)
    assert Movement(trained, selection, lora=False, base=base).measured
    monkeypatch.setattr("qwen_ui.engine.movement.HELD_BYTES", 0)
    assert not Movement(trained, selection, lora=False, base=base).measured
