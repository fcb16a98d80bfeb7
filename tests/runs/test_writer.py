"""The one writer of a run."""

from __future__ import annotations

import os

import pytest

from qwen_ui.errors import RunError
from qwen_ui.runs import (
    RunWriter,
    create_run,
    status_of,
)

SPEC = {"model": "nano", "steps": 4}
PLAN = {"name": "attention", "rules": []}


def test_a_writer_is_running_until_it_says_otherwise() -> None:
    folder = create_run(SPEC, PLAN)
    with RunWriter(folder) as run:
        assert status_of(folder).status == "running"
        assert status_of(folder).pid == os.getpid()
        run.event("step", step=1, loss=2.0)
        run.status("completed", step=4)
    assert status_of(folder).status == "completed"


def test_a_second_writer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwen_ui.runs.writer.LOCK_PATIENCE_SECONDS", 0.1)
    folder = create_run(SPEC, PLAN)
    with RunWriter(folder), pytest.raises(RunError, match="already has a worker"):
        RunWriter(folder)
    RunWriter(folder).close()


def test_a_stop_of_an_earlier_life_is_forgotten() -> None:
    folder = create_run(SPEC, PLAN)
    (folder / "stop").touch()
    with RunWriter(folder) as run:
        assert not run.stop_requested
        (folder / "stop").touch()
        assert run.stop_requested
