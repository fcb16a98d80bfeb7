"""Runs with a text to keep: what they record, resumed or not, and in several processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.errors import DataError
from qwen_ui.runs import read_kept_text, run_folder, run_summary
from qwen_ui.runs.summary import KEPT
from qwen_ui.workers import start, wait
from tests.helpers.runs import events_of, killed_and_resumed, spec_for, train


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the model is to keep: another text than the one it learns."""
    file = tmp_path_factory.mktemp("keep") / "old.jsonl"
    lines = [f"What was known before, number {number}: {number * 7}." for number in range(12)]
    file.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    return str(file)


@pytest.mark.parametrize("more", [{}, {"lora_rank": 2}, {"plan": "full"}], ids=str)
def test_a_run_tells_what_it_lost_of_the_text_to_keep(
    tiny: Path, sentences: Path, old: str, more: dict[str, Any]
) -> None:
    spec = spec_for(tiny, sentences, keep=old, eval_every=3, learning_rate=1e-2, **more)
    folder = train(spec)
    evals = events_of(folder, "eval")
    assert [event["step"] for event in evals] == [0, 3, 6]
    first, last = evals[0], evals[-1]
    assert (first["kl"], first["kl_error"], first["keep_error"]) == (0.0, 0.0, 0.0)
    assert all(event["kl"] > 0 for event in evals[1:])
    told, kept = run_summary(folder), read_kept_text(folder)
    assert kept is not None
    assert told["keep_loss_before"] == first["keep_loss"] == kept.loss_before
    assert told["keep_loss_after"] == last["keep_loss"] == kept.loss
    assert told["kl"] == last["kl"] == kept.divergence
    assert told["keep_error"] == last["keep_error"] == kept.forgetting_error
    assert told["kl_error"] == last["kl_error"] == kept.divergence_error
    (begun,) = events_of(folder, "start")
    assert begun["keep_examples"] == len(kept.tokens) == 12
    assert begun["keep_tokens"] == sum(kept.tokens)


def test_a_run_without_such_a_text_tells_nothing(tiny: Path, sentences: Path) -> None:
    folder = train(spec_for(tiny, sentences, steps=1))
    told = run_summary(folder)
    assert [told[key] for key in KEPT] == [None] * len(KEPT)
    assert not events_of(folder, "eval")[0].keys() & {"keep_loss", "kl"}
    assert read_kept_text(folder) is None


@pytest.mark.parametrize("more", [{}, {"lora_rank": 2}, {"plan": "full"}], ids=str)
def test_a_resumed_run_measures_from_the_very_base(
    tiny: Path, sentences: Path, old: str, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    """The baseline must not be taken of the weights of the checkpoint (huggingface/peft#3419)."""
    spec = spec_for(
        tiny, sentences, keep=old, steps=8, checkpoint_every=4, learning_rate=1e-2, **more
    )
    whole, folder = train(spec), killed_and_resumed(spec, 6, monkeypatch)
    assert [event["step"] for event in events_of(folder, "start")] == [0, 4]
    assert read_kept_text(folder) == read_kept_text(whole)
    ours, theirs = run_summary(folder), run_summary(whole)
    assert [ours[key] for key in KEPT] == [theirs[key] for key in KEPT]
    assert ours["kl"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plan", "sharded"),
    [
        ("attention", True),
        pytest.param("full", True, marks=pytest.mark.long),
        pytest.param("full", False, marks=pytest.mark.long),
    ],
)
def test_two_processes_lose_what_one_does(
    tiny: Path, sentences: Path, old: str, plan: str, sharded: bool
) -> None:
    values = {"keep": old, "eval_every": 2, "steps": 4, "learning_rate": 1e-3}
    spec = spec_for(tiny, sentences, plan, batch_size=2, processes=2, sharded=sharded, **values)
    together = run_folder(wait(start(spec))["run"])
    alone = train(spec_for(tiny, sentences, plan, batch_size=4, **values))
    first = events_of(together, "eval")[0]
    assert (first["kl"], first["keep_error"]) == (0.0, 0.0)
    ours, theirs = read_kept_text(together), read_kept_text(alone)
    assert ours is not None
    assert theirs is not None
    assert ours.tokens == theirs.tokens
    assert ours.before == pytest.approx(theirs.before, abs=1e-4)
    assert ours.after == pytest.approx(theirs.after, rel=1e-4)
    assert ours.divergence == pytest.approx(theirs.divergence, rel=1e-2)
    assert theirs.divergence > 1e-6


def test_a_text_to_keep_is_read_before_the_launch(
    tiny: Path, sentences: Path, tmp_path: Path
) -> None:
    from qwen_ui.engine import check_spec  # noqa: PLC0415
    from qwen_ui.model import open_model  # noqa: PLC0415

    (tmp_path / "empty.txt").touch()
    spec = spec_for(tiny, sentences, keep=str(tmp_path / "empty.txt"))
    with pytest.raises(DataError, match=r"'empty.txt' is empty"):
        check_spec(spec, open_model(str(tiny)))


def test_a_text_to_keep_that_is_learned_is_told(tiny: Path, sentences: Path) -> None:
    folder = train(spec_for(tiny, sentences, steps=1, keep=str(sentences)))
    assert any("what the run does to them is learning" in n for n in run_summary(folder)["notes"])
