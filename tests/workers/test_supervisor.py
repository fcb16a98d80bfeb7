"""What a dashboard sees to, whoever started the run: the queue, the dead, a stop, a reason."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from qwen_ui.freeze import preset
from qwen_ui.runs import folder as folders
from qwen_ui.runs.events import read_events
from qwen_ui.runs.failure import SENTENCES
from qwen_ui.runs.folder import create_run, open_folders
from qwen_ui.runs.spec import make_spec
from qwen_ui.runs.status import recorded_status, write_status
from qwen_ui.runs.summary import run_folder, status_of
from qwen_ui.workers import launch, supervisor
from qwen_ui.workers import stopping as ending
from qwen_ui.workers.memory_advice import ADVICE
from qwen_ui.workers.supervisor import Supervisor
from tests.workers.test_faults import REPOSITORY, first_line, steps, until
from tests.workers.test_faults import dashboard as start_dashboard

pytestmark = pytest.mark.usefixtures("step_worker")


def spec(steps: int = 3, pause: float = 0.0, **more: Any) -> dict[str, Any]:
    return {"model": "nano", "plan": {"name": "a"}, "steps": steps, "pause": pause, **more}


def test_a_later_dashboard_goes_on_with_the_queue_of_a_dead_one() -> None:
    owner = start_dashboard(json.dumps(spec(steps=10_000, pause=0.02)))
    first = run_folder(first_line(owner))
    waiting = create_run(spec(), {"name": "b"})
    owner.kill()
    owner.communicate()
    until(lambda: steps(first), 60)
    keeper = Supervisor()
    keeper.round()
    assert recorded_status(waiting).status == "queued"
    assert launch.place(waiting.name) == ([first.name], [])
    psutil.Process(launch.worker_pid(first)).kill()
    until(lambda: keeper.round() or recorded_status(waiting).status == "completed", 60)
    assert recorded_status(first).status == "interrupted"
    assert recorded_status(first).reason


def test_a_stop_is_kept_by_a_dashboard_that_was_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    run = launch.start(spec(steps=10_000, pause=0.02, deaf=True))
    folder = run_folder(run)
    until(lambda: steps(folder), 60)
    (folder / "stop").touch()
    monkeypatch.setattr("qwen_ui.workers.supervisor.patience_of", lambda folder: 0.2)
    keeper = Supervisor()
    until(lambda: keeper.round() or recorded_status(folder).over, 60)
    assert recorded_status(folder).status == "stopped"
    assert "did not stop within" in recorded_status(folder).reason


def test_a_stop_while_the_worker_starts_is_not_lost() -> None:
    run = launch.start(spec(steps=10_000, pause=0.02))
    launch.stop(run)
    assert launch.wait(run)["status"] == "stopped"
    assert len(steps(run_folder(run))) <= 2


def test_a_worker_that_heard_the_stop_is_given_time_to_save() -> None:
    folder = create_run(spec(), {"name": "a"})
    patient = ending.patience_of(folder)
    write_status(folder, type(recorded_status(folder))("running", ending.SAVING))
    assert ending.patience_of(folder) > patient + 600


def test_runs_that_are_over_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run = launch.start(spec())
    launch.wait(run)
    until(lambda: not open_folders() and run_folder(run) in folders._over, 10)
    keeper = Supervisor()
    keeper.round()
    monkeypatch.setattr(supervisor, "status_of", lambda folder: pytest.fail("read again"))
    keeper.round()


@pytest.mark.slow
def test_a_kill_for_memory_is_explained_with_the_price_of_the_run() -> None:
    given = make_spec(model="nano", plan=preset("full").to_dict(), data="x.txt", batch_size=256)
    folder = create_run(given.model_dump(mode="json"), given.plan)
    (folder / "process.json").write_text('{"pid": 1, "begun": "x", "memory_free": 3e9}')
    gone = type(recorded_status(folder))("interrupted", SENTENCES["killed for memory"])
    write_status(folder, gone)
    Supervisor().round()
    until(lambda: (folder / ADVICE).is_file() and "fits" in recorded_status(folder).reason, 120)
    advice = json.loads((folder / ADVICE).read_text())
    assert 1 <= advice["changes"]["batch_size"] < 256
    assert recorded_status(folder).reason.startswith("The system killed the worker")
    assert "3.00 GB were free" in recorded_status(folder).reason


def test_a_dashboard_whose_port_is_taken_says_so() -> None:
    import socket  # noqa: PLC0415

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "app.py", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == SENTENCES["port"]


def test_events_stay_whole_when_two_dashboards_resume_at_once() -> None:
    run = launch.start(spec(steps=10_000, pause=0.02))
    folder = run_folder(run)
    until(lambda: steps(folder), 60)
    launch.kill(run)
    before = len(steps(folder))
    launch.resume(run)
    with pytest.raises(launch.RunError, match="already"):
        launch.resume(run)
    until(lambda: len(steps(folder)) > before, 60)
    starts = [event for event in read_events(folder)[0] if event["event"] == "start"]
    assert len(starts) == 2
    time.sleep(0)
    launch.kill(run)
    assert status_of(folder).reason == ending.BY_HAND
