"""Workers as real processes: started, stopped, killed, resumed, queued."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.errors import RunError
from qwen_ui.runs.events import read_events
from qwen_ui.runs.folder import create_run
from qwen_ui.runs.status import Status, write_status
from qwen_ui.runs.summary import run_folder, status_of
from qwen_ui.workers import launch

pytestmark = pytest.mark.usefixtures("step_worker")

PLAN = {"name": "attention"}


def spec(steps: int = 5, pause: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"model": "nano", "plan": PLAN, "steps": steps, "pause": pause, **more}


def until(what: Any, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def steps(folder: Path) -> list[int]:
    return [event["step"] for event in read_events(folder)[0] if event["event"] == "step"]


def test_a_run_is_followed_to_its_end() -> None:
    seen: list[str] = []
    run = launch.start(spec(steps=5))
    found = launch.wait(run, lambda event: seen.append(event["event"]))
    assert found["status"] == "completed"
    assert len(found["losses"]) == 5
    assert seen == ["start", *["step"] * 5, "end"]


def test_stop_is_graceful_and_resume_goes_on() -> None:
    run = launch.start(spec(steps=100, pause=0.02))
    folder = run_folder(run)
    until(lambda: len(steps(folder)) >= 3)
    launch.stop(run)
    until(lambda: status_of(folder).over)
    assert status_of(folder).status == "stopped"
    done = steps(folder)[-1]
    assert done < 100
    launch.resume(run)
    assert launch.wait(run)["status"] == "completed"
    assert steps(folder) == list(range(1, 101))


def test_a_worker_that_does_not_stop_is_ended() -> None:
    run = launch.start(spec(steps=10_000, pause=0.02, deaf=True))
    folder = run_folder(run)
    until(lambda: steps(folder))
    launch.stop(run, patience=0.2)
    until(lambda: status_of(folder).status == "stopped")
    assert "was ended" in status_of(folder).reason
    assert launch.worker_pid(folder) is None


def test_kill_ends_it_at_once_and_says_so() -> None:
    run = launch.start(spec(steps=10_000, pause=0.02))
    folder = run_folder(run)
    until(lambda: steps(folder))
    launch.kill(run)
    assert status_of(folder).status == "interrupted"
    assert "killed by hand" in status_of(folder).reason
    with pytest.raises(RunError, match="no process"):
        launch.kill(run)


def test_a_second_run_waits_for_the_first() -> None:
    first = launch.start(spec(steps=10_000, pause=0.02))
    second = launch.start(spec(steps=2))
    assert launch.queued_runs() == [second]
    assert status_of(run_folder(second)).status == "queued"
    launch.stop(first)
    assert launch.wait(second)["status"] == "completed"


def test_a_waiting_run_can_be_stopped() -> None:
    first = launch.start(spec(steps=10_000, pause=0.02))
    second = launch.start(spec(steps=2))
    launch.stop(second)
    assert status_of(run_folder(second)).status == "stopped"
    assert launch.queued_runs() == []
    launch.kill(first)


def test_a_worker_that_never_begins_is_told_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launch, "WORKER", "tests.helpers.no_such_worker")
    found = launch.wait(launch.start(spec()))
    assert found["status"] == "interrupted"
    assert "no_such_worker" in found["reason"]


def test_what_cannot_be_done_is_a_sentence() -> None:
    run = launch.start(spec(steps=1))
    launch.wait(run)
    with pytest.raises(RunError, match="is completed"):
        launch.resume(run)
    with pytest.raises(RunError, match="is over already"):
        launch.stop(run)


def test_retry_changes_settings_and_keeps_the_rest() -> None:
    run = launch.start(spec(steps=2))
    launch.wait(run)
    again = launch.wait(launch.retry(run, steps=4))
    assert again["run"] != run
    assert len(again["losses"]) == 4


def test_the_end_of_a_run_starts_nothing_in_another_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The thread that waits for a worker may outlive the test that began it.
    ended = run_folder(launch.start(spec(steps=1)))
    until(lambda: status_of(ended).over)
    monkeypatch.setenv("QWEN_UI_HOME", str(tmp_path / "other"))
    waits = create_run(spec(), PLAN)
    launch._ended(ended)
    assert launch.queued_runs() == [waits.name]


def test_a_disk_that_is_gone_leaves_the_queue_for_the_next_look(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ended, waits = create_run(spec(), PLAN), create_run(spec(), PLAN)
    write_status(ended, Status(status="completed"))

    def fail(folder: Path) -> None:
        raise FileNotFoundError(folder)

    with monkeypatch.context() as gone:
        gone.setattr(launch, "_spawn", fail)
        launch._ended(ended)
    assert "what follows the end" in caplog.text
    assert launch.queued_runs() == [waits.name]
    assert launch.dispatch() == [waits.name]
    until(lambda: status_of(waits).over)
