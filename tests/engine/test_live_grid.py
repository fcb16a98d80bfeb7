"""The live grid against float64 from two checkpoints, and within its limits."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from qwen_ui.engine import live_grid
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.model import group_label, open_model
from qwen_ui.runs import fold_run
from tests.helpers.runs import spec_for, train

STEPS = 3


@pytest.fixture(autouse=True)
def in_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of a tiny model take less time than a picture's share allows."""
    monkeypatch.setattr(live_grid, "SHARE", math.inf)


def cells_of(event: dict[str, Any]) -> dict[tuple[str, int | None], tuple[float, float]]:
    return {
        (label, block): (ratio, gradient)
        for label, cells in event["rows"]
        for block, ratio, gradient in cells
    }


def exact_ratios(
    before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], plan: FreezePlan, model: Path
) -> dict[tuple[str, int | None], float]:
    """||after - before|| / ||before|| of each cell, in float64."""
    anatomy = open_model(str(model))
    sums: dict[tuple[str, int | None], list[float]] = {}
    for name in resolve(plan, anatomy).names:
        parameter = anatomy.by_name[name]
        was, now = before[name].double(), after[name].double()
        cell = sums.setdefault((group_label(parameter), parameter.block), [0.0, 0.0])
        cell[0] += float((now - was).square().sum())
        cell[1] += float(was.square().sum())
    return {place: math.sqrt(moved / was) if was else 0.0 for place, (moved, was) in sums.items()}


def test_cells_are_those_of_two_checkpoints(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_for(
        tiny, sentences, "full", steps=4, checkpoint_every=1, learning_rate=0.01, weight_decay=0.1
    )
    kept: dict[int, dict[str, torch.Tensor]] = {}
    written = live_grid.LiveGrid._after

    def spy(grid: Any, step: int, *rest: Any) -> None:
        kept[step] = {n: t.detach().clone() for n, t in grid._optimizer.masters.items()}
        written(grid, step, *rest)

    monkeypatch.setattr(live_grid.LiveGrid, "_after", spy)
    folder = train(spec)
    pictures = fold_run(folder).grids
    plan = FreezePlan.from_dict(spec.plan)
    assert [event["step"] for event in pictures] == [1, 2, 3, 4]
    kinds = {label: blocks for label, _, blocks in pictures[0]["kinds"]}
    assert kinds["mlp.up_proj.weight"] == "0-3"
    assert kinds["model.norm.weight"] == ""
    for event in pictures[1:]:
        assert "kinds" not in event
        step = event["step"]
        exact = exact_ratios(kept[step - 1], kept[step], plan, tiny)
        found = cells_of(event)
        assert found.keys() == exact.keys()
        for place, (ratio, gradient) in found.items():
            if ratio is None:  # it began at 0
                continue
            assert ratio == pytest.approx(exact[place], rel=2e-5)
            assert gradient >= 0
    total = math.sqrt(sum(gradient**2 for _, gradient in cells_of(pictures[1]).values()))
    assert total == pytest.approx(fold_run(folder).columns["gradient_norm"][1], rel=1e-4)


def test_a_picture_of_much_is_taken_over_several_steps(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_grid, "HELD_BYTES", 20_000)
    folder = train(spec_for(tiny, sentences, "full", steps=12))
    pictures = fold_run(folder).grids
    assert len(pictures) >= 2
    for event in pictures:
        assert len(cells_of(event)) == 4 * 12 + 2


def test_frozen_cells_are_in_no_picture(tiny: Path, sentences: Path) -> None:
    folder = train(spec_for(tiny, sentences, "attention", layers="last:1", steps=STEPS))
    for event in fold_run(folder).grids:
        assert {block for _, block in cells_of(event)} == {3}
        assert all("self_attn" in label for label, _ in cells_of(event))


def test_adapters_are_in_the_cell_of_their_weight(tiny: Path, sentences: Path) -> None:
    folder = train(spec_for(tiny, sentences, layers="last:1", steps=2, lora_rank=2))
    last = cells_of(fold_run(folder).grids[-1])
    assert ("self_attn.q_proj.weight", 3) in last
    assert all(ratio > 0 for ratio, _ in last.values())


def test_what_is_held_is_bounded(tiny: Path, sentences: Path, monkeypatch: Any) -> None:
    """A tensor beyond the limit is estimated from evenly spaced elements."""
    monkeypatch.setattr(live_grid, "HELD_BYTES", 512)
    folder = train(spec_for(tiny, sentences, "attention", layers="last:1", steps=30))
    pictures = fold_run(folder).grids
    assert 1 <= len(pictures) <= 30 / 6
    assert len(cells_of(pictures[-1])) == 7


def test_the_log_grows_by_a_stated_size(tiny: Path, sentences: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(live_grid, "MOST_BYTES", 4000)
    folder = train(spec_for(tiny, sentences, steps=12))
    lines = (folder / "events.jsonl").read_text().splitlines()
    written = [line for line in lines if json.loads(line)["event"] == "grid"]
    assert 2 <= len(written) <= 6
    kinds = len(json.dumps(json.loads(written[0])["kinds"]))
    assert sum(map(len, written)) - kinds <= 4000


def test_it_takes_its_share_of_the_time_and_no_more(
    tiny: Path, sentences: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(live_grid, "SHARE", 0.0)
    folder = train(spec_for(tiny, sentences, steps=6))
    assert len(fold_run(folder).grids) <= 1  # the first costs before anything was spent


def test_equal_runs_leave_equal_deltas_with_and_without(
    tiny: Path, sentences: Path, monkeypatch: Any
) -> None:
    with_it = train(spec_for(tiny, sentences, steps=3))
    monkeypatch.setattr(live_grid, "PICTURES", 0)
    without = train(spec_for(tiny, sentences, steps=3))
    assert fold_run(with_it).grids
    assert not fold_run(without).grids
    deltas = []
    for folder in (with_it, without):
        with safe_open(folder / "delta.safetensors", framework="pt") as opened:
            deltas.append({name: opened.get_tensor(name) for name in opened.keys()})  # noqa: SIM118
    assert all(torch.equal(deltas[0][name], deltas[1][name]) for name in deltas[0])
