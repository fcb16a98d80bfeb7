"""A dial measured by a process of its own, as a page asks for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from qwen_ui.compare import DialRequest, DialState, dial_state, start_dial
from qwen_ui.compare.dial_process import PLACE, REQUEST
from qwen_ui.errors import RunError
from qwen_ui.freeze import preset
from qwen_ui.runs import RunWriter, create_run
from tests.helpers.recorded_run import record_run
from tests.helpers.waiting import until


@pytest.fixture
def run(tiny: Path, sentences: Path, tmp_path: Path, forked_workers: None) -> Path:
    """The folder of a run that is over and left a delta."""
    _, prepared = record_run(
        tiny, sentences, preset("attention"), tmp_path / "run", steps=2, learning_rate=1e-2
    )
    folder = create_run(prepared.spec.to_dict(), prepared.spec.plan)
    with RunWriter(folder) as writer:
        writer.status("completed")
    (tmp_path / "run" / "delta.safetensors").rename(folder / "delta.safetensors")
    return folder


def over(run: Path) -> DialState:
    def ended() -> DialState | None:
        state = dial_state(run.name)
        return None if state.going_on else state

    return until(ended, 120, lambda: str(dial_state(run.name)))


def test_it_measures_and_a_second_one_waits(run: Path) -> None:
    start_dial(run.name, DialRequest(strengths=(0.5,)))
    with pytest.raises(RunError, match="being measured already"):
        start_dial(run.name, DialRequest())
    state = over(run)
    assert (state.failed, state.record["done"]) == ("", True)
    assert [point["strength"] for point in state.record["points"]] == [0, 0.5, 1]


def test_a_mistake_and_a_kill_are_told(run: Path, tmp_path: Path) -> None:
    spec = json.loads((run / "spec.json").read_text())
    spec["data"]["source"] = str(tmp_path / "gone.jsonl")
    (run / "spec.json").write_text(json.dumps(spec))
    start_dial(run.name, DialRequest())
    assert "gone.jsonl" in over(run).failed
    (run / PLACE / "failed.json").unlink()
    assert "ended before it was done" in over(run).failed
    assert (run / PLACE / REQUEST).is_file()


def test_a_run_without_trained_tensors_is_refused(run: Path) -> None:
    os.remove(run / "delta.safetensors")
    with pytest.raises(RunError, match="nothing to turn"):
        start_dial(run.name, DialRequest())
    assert dial_state(run.name) == DialState({}, False, "")
