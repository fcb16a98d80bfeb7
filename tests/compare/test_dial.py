"""The dial: exact at every point, chosen on one half and told of the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from qwen_ui.compare import DialRequest, turn
from qwen_ui.compare.dial import BEYOND, GRID, Point, next_strength, suggestion
from qwen_ui.data import Examples
from qwen_ui.engine import (
    Strengths,
    apply_delta,
    parse_strengths,
    read_delta,
)
from qwen_ui.errors import RunError, SettingsError
from qwen_ui.freeze import preset
from qwen_ui.model import open_model
from qwen_ui.runs import HeldOut, KeptText
from tests.helpers.checkpoint_families import save_family
from tests.helpers.plain_loop import plain_loss
from tests.helpers.recorded_run import Recorder, record_run
from tests.helpers.tiny_models import SENTENCES

RUNS = (("attention", "qwen2", 0), ("lora", "llama", 2), ("experts", "mixtral", 0))
PLANS = {"attention": "attention", "lora": "mlp", "experts": "mlp"}


@pytest.fixture(scope="module")
def text_to_keep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keep") / "keep.jsonl"
    rows = [{"text": sentence.upper() + str(n)} for n, sentence in enumerate(SENTENCES * 3)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture(scope="module", params=RUNS, ids=[name for name, *_ in RUNS])
def run(
    request: pytest.FixtureRequest,
    sentences: Path,
    text_to_keep: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Path, Recorder, Any]:
    """(base, folder of a run that has a spec and a delta, its events, what was prepared)."""
    name, family, rank = request.param
    folder = tmp_path_factory.mktemp(name)
    base = save_family(folder / "base", family)
    out = folder / "run"
    events, prepared = record_run(
        base, sentences, preset(PLANS[name]), out,
        steps=3, learning_rate=1e-2, lora_rank=rank, keep=str(text_to_keep),
    )  # fmt: skip
    (out / "spec.json").write_text(json.dumps(prepared.spec.to_dict()))
    return base, out, events, prepared


def test_every_point_is_the_merged_model_evaluated_from_scratch(
    run: tuple[Path, Path, Recorder, Any], tmp_path: Path
) -> None:
    base, folder, events, prepared = run
    found = turn(folder, DialRequest(strengths=(0.5, 1.25)))
    points = {point["strength"]: point for point in found["points"]}
    assert sorted(points) == [0, 0.5, 1, 1.25]
    assert points[0]["eval_loss"] == events.ended["eval_loss_before"]
    assert (points[0]["forgetting"], points[0]["kl"], points[0]["gain"]) == (0, 0, 0)
    assert points[1]["eval_loss"] == pytest.approx(events.ended["eval_loss_after"], rel=1e-6)
    assert points[1]["keep_loss"] == pytest.approx(events.ended["keep_loss_after"], rel=1e-6)
    assert points[1]["kl"] == pytest.approx(events.ended["kl"], rel=1e-4, abs=1e-7)
    for strength, point in points.items():
        merged = tmp_path / f"{strength}"
        apply_delta(folder / "delta.safetensors", str(base), merged, Strengths(strength))
        for examples, name in (
            (prepared.data.evaluation, "eval_loss"),
            (prepared.data.keep, "keep_loss"),
        ):
            assert plain_loss(merged, examples) == pytest.approx(point[name], rel=1e-6)
    assert json.loads((folder / "dial.json").read_text())["done"]
    changes = json.loads((folder / "token_changes.json").read_text())
    tokens = sum(prepared.data.evaluation.loss_tokens)
    assert changes["total_before"] / tokens == pytest.approx(points[0]["eval_loss"], rel=1e-6)
    assert changes["total_after"] / tokens == pytest.approx(points[1]["eval_loss"], rel=1e-6)
    rises = [
        sample["after"] * sample["tokens"] - sample["before"] * sample["tokens"]
        for sample in changes["samples"]
    ]
    assert rises == sorted(rises, reverse=True)
    assert len(changes["samples"]) == len(prepared.data.evaluation.items)


def test_the_ends_are_the_base_and_todays_merge_to_the_bit(
    run: tuple[Path, Path, Recorder, Any], tmp_path: Path
) -> None:
    base, folder, *_ = run
    delta = folder / "delta.safetensors"
    apply_delta(delta, str(base), tmp_path / "merged")
    apply_delta(delta, str(base), tmp_path / "one", Strengths(1.0))
    apply_delta(delta, str(base), tmp_path / "none", Strengths(0.0))
    for got, wanted in (("one", tmp_path / "merged"), ("none", base)):
        found, expected = (load_file(f / "model.safetensors") for f in (tmp_path / got, wanted))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_single_blocks_are_turned_alone(
    run: tuple[Path, Path, Recorder, Any], tmp_path: Path
) -> None:
    base, folder, _, prepared = run
    delta, anatomy = read_delta(folder / "delta.safetensors"), open_model(str(base))
    turned = delta.at(parse_strengths("1,2=0,3=0.5"), anatomy)
    assert {turned.strengths[n] for n in turned.weights if ".2." in n} == {0.0}
    assert {turned.strengths[n] for n in turned.weights if ".3." in n} == {0.5}
    with pytest.raises(SettingsError, match="no block 9"):
        delta.at(parse_strengths("1,9=0"), anatomy)
    found = turn(folder, DialRequest(strengths=(1.0,), by_block=True))
    strengths = parse_strengths(found["by_block"]["strength"])
    assert {block for block, _ in strengths.blocks} <= {0, 1, 2, 3}
    merged = tmp_path / "by-block"
    apply_delta(folder / "delta.safetensors", str(base), merged, strengths)
    other_half = Examples(prepared.data.evaluation.items[1::2])
    assert plain_loss(merged, other_half) == pytest.approx(
        found["by_block"]["told"]["eval_loss"], rel=1e-6
    )


def test_a_saved_strength_is_a_delta_that_says_so(
    run: tuple[Path, Path, Recorder, Any], tmp_path: Path
) -> None:
    base, folder, *_ = run
    file = tmp_path / "turned.safetensors"
    found = turn(folder, DialRequest(strengths=(0.5,), save=file))
    assert read_delta(file).strength == f"{found['suggested']:g}" or found["suggested"] == 1
    with safe_open(file, framework="pt") as opened:
        record = json.loads(opened.metadata()["qwen_ui"])
    assert record.get("strength", "1") == f"{found['suggested']:g}"
    apply_delta(file, str(base), tmp_path / "saved")
    strengths = Strengths(found["suggested"])
    apply_delta(folder / "delta.safetensors", str(base), tmp_path / "turned", strengths)
    saved, turned = (load_file(tmp_path / n / "model.safetensors") for n in ("saved", "turned"))
    for name, tensor in turned.items():
        torch.testing.assert_close(saved[name], tensor, rtol=1e-6, atol=1e-7)


def test_another_base_is_refused(run: tuple[Path, Path, Recorder, Any], tmp_path: Path) -> None:
    _, folder, *_ = run
    spec = json.loads((folder / "spec.json").read_text())
    other = save_family(tmp_path / "other", "qwen3")
    spec["model"]["source"] = str(other)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "spec.json").write_text(json.dumps(spec))
    delta = (folder / "delta.safetensors").read_bytes()
    (tmp_path / "run" / "delta.safetensors").write_bytes(delta)
    with pytest.raises(RunError, match="not those that the run trained"):
        turn(tmp_path / "run", DialRequest())


def point(strength: float, losses: list[float], rises: list[float] | None = None) -> Point:
    tokens = (10,) * len(losses)
    held_out = HeldOut(tokens, (30.0,) * len(losses), tuple(10 * loss for loss in losses))
    kept = None
    if rises is not None:
        kept = KeptText(
            tokens, (0.0,) * len(rises), tuple(10 * r for r in rises), (0.0,) * len(rises)
        )
    return Point(strength, held_out, kept)


def test_a_strength_is_chosen_on_one_half_and_told_of_the_other() -> None:
    points = [point(0.5, [1.0, 3.0] * 4), point(1.0, [2.0, 1.0] * 4)]
    found = suggestion(points)
    assert found is not None
    assert (found.strength, found.told.eval_loss, found.trained.eval_loss) == (0.5, 3.0, 1.0)


def test_a_limit_of_forgetting_is_held_on_the_half_that_chooses() -> None:
    points = [
        point(0.5, [2.0, 2.0], [0.1, 0.3]),
        point(1.0, [1.0, 1.0], [0.4, 0.0]),
    ]
    found = suggestion(points, 0.2)
    assert found is not None
    assert found.strength == 0.5
    assert found.told.kept is not None
    assert found.told.kept.forgetting == pytest.approx(0.3)
    assert suggestion(points, 0.01) is None


def test_one_sample_suggests_nothing() -> None:
    assert suggestion([point(1.0, [1.0])]) is None


@given(st.floats(0.05, 9.9))
def test_the_grid_goes_on_until_the_best_lies_within_it(best: float) -> None:
    points = [point(s, [(s - best) ** 2] * 2) for s in GRID]
    while (further := next_strength(points)) is not None:
        points.append(point(further, [(further - best) ** 2] * 2))
    highest = max(p.strength for p in points)
    nearest = min(points, key=lambda p: p.eval_loss).strength
    assert nearest < highest or highest == BEYOND[-1]
    assert len(points) == len(GRID) or sorted(p.strength for p in points)[-2] <= 2 * best


def test_a_loss_that_is_no_number_ends_the_grid_and_is_never_chosen() -> None:
    points = [point(1.0, [2.0, 2.0]), point(1.5, [float("nan"), 1.0])]
    assert next_strength(points) is None
    found = suggestion(points)
    assert found is not None
    assert found.strength == 1.0


@pytest.mark.parametrize("text", ["", "half", "0.5,x=1", "0.5,1", "-1", "11", "nan", "0.5,2=inf"])
def test_what_is_no_strength_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="strength"):
        parse_strengths(text)


@pytest.mark.parametrize("text", ["1", "0", "0.5,24=0.25,25=1"])
def test_strengths_read_back_as_they_are_written(text: str) -> None:
    assert str(parse_strengths(text)) == text
