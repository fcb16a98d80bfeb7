"""All that a run is made of, with its frozen blocks read one by one: the bits of the held run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.compare import make_comparison, parse_plans, results, run_comparison
from qwen_ui.engine import Dialled, apply_delta, parse_strengths
from qwen_ui.paths import home
from qwen_ui.runs import run_folder, run_summary
from tests.helpers.runs import events_of, killed_and_resumed, losses_of, spec_for
from tests.helpers.runs import train as work

WAYS = ("keep", "stream")
CLOCK = ("time", "elapsed")
Train = Callable[..., dict[str, Path]]


@pytest.fixture
def trained(tiny: Path, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Trains the same run in both ways, each in a home of its own: no outputs are shared."""

    def train(**settings: Any) -> dict[str, Path]:
        folders = {}
        for way in WAYS:
            monkeypatch.setenv("QWEN_UI_HOME", str(tmp_path / way))
            settings = {"layers": "last:2", "dtype": "float32", "device": "cpu"} | settings
            folders[way] = work(spec_for(tiny, sentences, prefix=way, **settings))
            assert run_summary(folders[way])["status"] == "completed", run_summary(folders[way])
        starts = [events_of(folders[way], "start")[0]["prefix"] for way in WAYS]
        assert starts == ["kept", "streamed"]
        return folders

    return train


def delta(folder: Path) -> bytes:
    """The tensors of a run's delta, without the settings in its header."""
    content = (folder / "delta.safetensors").read_bytes()
    return content[8 + int.from_bytes(content[:8], "little") :]


def merged(folder: Path, base: Path, out: Path) -> bytes:
    apply_delta(folder / "delta.safetensors", str(base), out)
    return (out / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "settings",
    [
        {"lora_rank": 2},
        {"gradient_checkpointing": True, "gradient_accumulation_steps": 2},
        {"plan": "full", "layers": "last:1"},
    ],
    ids=" ".join,
)
def test_deltas_and_merged_models_are_equal(
    trained: Train, tiny: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    held, streamed = trained(**settings).values()
    assert losses_of(streamed) == losses_of(held)
    assert delta(streamed) == delta(held)
    assert merged(streamed, tiny, tmp_path / "a") == merged(held, tiny, tmp_path / "b")


def test_the_text_to_keep_and_the_dial_are_equal(
    trained: Train, sentences: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = tmp_path / "keep.txt"
    keep.write_text("What the model is not to lose.\n\n" * 8, encoding="utf-8")
    folders = trained(keep=str(keep), keep_tokens=256)
    held, streamed = (
        [{k: v for k, v in event.items() if k not in CLOCK} for event in events_of(folder, "eval")]
        for folder in folders.values()
    )
    assert streamed == held
    assert held[-1]["keep_loss"] != held[0]["keep_loss"]
    measured = []
    for way in WAYS:
        monkeypatch.setenv("QWEN_UI_HOME", str(tmp_path / way))
        dialled = Dialled(folders[way])
        measured.append([dialled.at(parse_strengths(s)) for s in ("0", "0.5", "2=0.25")])
    assert measured[0] == measured[1]


def test_samples_are_equal_where_the_blocks_are_small(trained: Train) -> None:
    folders = trained(sample_tokens=6)
    texts = [[e["text"] for e in events_of(folders[way], "sample")] for way in WAYS]
    assert texts[0] == texts[1] != []


def test_where_the_blocks_are_large_no_sample_is_written_and_a_note_says_so(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen_ui.engine.stream.streamed_run.SAMPLED_BYTES", 1000)
    folder = work(spec_for(tiny, sentences, prefix="stream", sample_tokens=6))
    assert events_of(folder, "sample") == []
    assert any("No samples are written" in e["message"] for e in events_of(folder, "log"))


def test_a_run_that_was_killed_goes_on_to_the_same_bits(
    tiny: Path, sentences: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {
        "prefix": "stream",
        "steps": 6,
        "checkpoint_every": 2,
        "dtype": "float32",
    }
    whole = work(spec_for(tiny, sentences, **settings))
    again = killed_and_resumed(spec_for(tiny, sentences, **settings), 3, monkeypatch)
    assert [event["step"] for event in events_of(again, "start")] == [0, 2]
    assert run_summary(again)["status"] == "completed"
    assert delta(again) == delta(whole)


def test_where_outputs_cannot_be_kept_a_held_run_goes_on_and_a_streamed_one_says_so(
    tiny: Path, sentences: Path
) -> None:
    settings: dict[str, Any] = {"dtype": "float32", "device": "cpu", "layers": "last:2"}
    free = work(spec_for(tiny, sentences, prefix="keep", **settings))
    kept = home() / "prefixes"
    shutil.rmtree(kept)
    kept.write_text("in the way")
    held, streamed = (work(spec_for(tiny, sentences, prefix=way, **settings)) for way in WAYS)
    assert losses_of(held) == losses_of(free)
    assert any("frozen blocks cannot be kept" in e["message"] for e in events_of(held, "log"))
    assert run_summary(streamed)["status"] == "failed"
    assert "cannot be written" in run_summary(streamed)["reason"]


@pytest.mark.slow
def test_the_plans_of_a_comparison_share_one_pass(tiny: Path, sentences: Path) -> None:
    found = {}
    for way in WAYS:
        plans = parse_plans("attention@last:2,mlp@last:2")
        made = make_comparison(
            str(tiny), plans, data=str(sentences), learning_rates=(1e-3, 1e-3), steps=3,
            batch_size=3, sequence_length=48, sample_tokens=0, dtype="float32", device="cpu",
            threads=1, prefix=way,
        )  # fmt: skip
        done = run_comparison(made)
        found[way] = [run["losses"] for run in results(done)]
        starts = [events_of(run_folder(str(run)), "start")[0]["prefix"] for run in done.runs]
        assert starts == [{"keep": "kept", "stream": "streamed"}[way]] * 2
        kept = list((home() / "prefixes").glob("*.kept"))
        assert len(kept) == 2, "of training and of evaluation, for both plans"
        for file in kept:
            file.unlink()
    assert found["stream"] == found["keep"]
