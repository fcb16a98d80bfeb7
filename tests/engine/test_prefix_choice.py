"""Which way a run's frozen blocks go, by what fits, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qwen_ui.engine import (
    PrefixChoice,
    StreamError,
    choose_prefix,
    prefix_choice,
    run_need,
    setup,
)
from qwen_ui.engine.pass_speed import known_speed, note_speed
from qwen_ui.freeze import FreezePlan, Selection, preset, resolve
from qwen_ui.model import Anatomy, open_model
from qwen_ui.runs import RunSpec, make_spec
from tests.helpers.checkpoint_families import save_family
from tests.helpers.streamed import last, train

GB = 1e9


def run(anatomy: Anatomy, **settings: Any) -> tuple[RunSpec, Selection]:
    plan = preset("attention", "last:2")
    spec = make_spec(
        model=anatomy.source, plan=plan.to_dict(), data="x", batch_size=1, steps=10, **settings
    )
    return spec, resolve(FreezePlan.from_dict(spec.plan), anatomy)


def test_auto_holds_what_fits_and_else_reads_once(qwen: Anatomy) -> None:
    spec, selection = run(qwen)
    kept, streamed = (run_need(spec, selection, "cpu", way) for way in ("keep", "stream"))
    assert streamed < kept / 2
    assert choose_prefix(spec, selection, "cpu", kept) == PrefixChoice("keep")
    found = choose_prefix(spec, selection, "cpu", kept - 1)
    assert found.way == "stream"
    assert found.sentence.startswith(
        "4.87 GB of weights are read once and never held; 1.31 GB stay. Their pass over at most "
        "17,664 tokens takes about "
    )
    assert "assumed; a first pass measures them" in found.sentence


@pytest.mark.parametrize("asked", ["keep", "off"])
def test_what_is_asked_for_is_taken_and_needs_no_word(qwen: Anatomy, asked: str) -> None:
    spec, selection = run(qwen, prefix=asked)
    assert choose_prefix(spec, selection, "cpu", 1.0) == PrefixChoice(asked)  # type: ignore[arg-type]


def test_stream_is_taken_where_all_would_fit(qwen: Anatomy) -> None:
    spec, selection = run(qwen, prefix="stream")
    found = choose_prefix(spec, selection, "cpu", 1e15)
    assert (found.way, "never held" in found.sentence) == ("stream", True)


def test_where_nothing_is_known_or_little_is_saved_all_is_held_without_a_price(
    qwen: Anatomy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefix_choice, "price", None)
    spec, selection = run(qwen)
    assert choose_prefix(spec, selection, "cuda", None).way == "keep"
    assert choose_prefix(spec, selection, "cpu", 1000 * GB).way == "keep"
    sharded, _ = run(qwen, sharded=True, processes=2)
    assert choose_prefix(sharded, selection, "cpu", 1.0).way == "keep"


def test_processes_share_the_memory_of_a_cpu(qwen: Anatomy) -> None:
    (one, selection), (two, _) = run(qwen), run(qwen, processes=2)
    assert run_need(two, selection, "cpu", "keep") == 2 * run_need(one, selection, "cpu", "keep")
    assert run_need(two, selection, "cuda", "keep") == run_need(one, selection, "cuda", "keep")


def test_a_pass_on_this_machine_tells_its_speed() -> None:
    assert not known_speed("cpu", "float32").measured
    note_speed("cpu", "float32", read=1e9, flops=1e12, seconds=10)
    assert known_speed("cpu", "float32").disk == 1e8
    # A pass that waits for its computation says little of the disk.
    note_speed("cpu", "float32", read=1e6, flops=4e12, seconds=10)
    known = known_speed("cpu", "float32")
    assert (known.disk, known.compute, known.measured) == (1e8, 4e11, True)
    assert not known_speed("cpu", "bfloat16").measured
    spec, selection = run(open_model("nano"), prefix="stream")
    assert "measured here before" in choose_prefix(spec, selection, "cpu", None).sentence


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    save_family(folder / "llama", "llama")
    save_family(folder / "gpt2", "gpt2")  # its frozen blocks use dropout
    return folder


def test_a_run_that_does_not_fit_reads_once_and_says_so(
    families: Path, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = train(families / "llama", sentences, last(1), tmp_path / "held")
    assert held.prepared.loop.trainee.cut is not None
    assert held.prepared.loop.trainee.cut.holds_prefix
    monkeypatch.setattr(setup, "free_bytes", lambda device: 1e5)
    found = train(families / "llama", sentences, last(1), tmp_path / "streamed")
    cut = found.prepared.loop.trainee.cut
    assert cut is not None
    assert not cut.holds_prefix
    assert found.figures == held.figures
    (note,) = (said for said in found.prepared.notes if "never held" in said)
    assert "of weights are read once and never held" in note
    # The pass told how fast this machine is.
    monkeypatch.setenv("QWEN_UI_HOME", str(tmp_path / "streamed"))
    assert known_speed("cpu", "float32").measured


def test_what_cannot_be_read_once_is_held_where_nobody_asked(
    families: Path, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "free_bytes", lambda device: 1e5)
    found = train(families / "gpt2", sentences, last(1), tmp_path / "auto", steps=1)
    assert found.prepared.loop.trainee.cut is None
    assert not any("never held" in note for note in found.prepared.notes)
    with pytest.raises(StreamError, match="dropout"):
        train(families / "gpt2", sentences, last(1), tmp_path / "asked", prefix="stream")
