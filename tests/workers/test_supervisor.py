"""What a supervisor sees to, whoever started a run: queue, dead workers, stops, reasons."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from qwen_ui import workers
from qwen_ui.freeze import preset
from qwen_ui.runs import Status, create_run, make_spec, open_folders, run_folder, status_of
from qwen_ui.runs import folder as folders
from qwen_ui.runs.failure import SENTENCES
from qwen_ui.runs.status import recorded_status, write_status
from qwen_ui.workers import processes
from qwen_ui.workers import spawn as spawning
from qwen_ui.workers import supervisor as supervising
from qwen_ui.workers.memory_advice import ADVICE
from qwen_ui.workers.supervisor import Supervisor
from tests.helpers.step_runs import (
    PLAN,
    REPOSITORY,
    kill_at_once,
    long_spec,
    next_line,
    spec,
    start_dashboard,
    steps,
)
from tests.helpers.waiting import until

pytestmark = pytest.mark.usefixtures("step_worker")
NEVER = 1e6


def kill_worker(folder: Path) -> None:
    pid = workers.worker_pid(folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def rounds_until(
    supervisor: Supervisor, condition: Callable[[], object], patience: float = 60.0
) -> None:
    """Let the supervisor go its rounds until the condition holds."""

    def holds_after_a_round() -> object:
        supervisor.round()
        return condition()

    until(holds_after_a_round, patience)


def says_what_fits(folder: Path) -> bool:
    return "fits" in recorded_status(folder).reason


def test_a_later_dashboard_goes_on_with_the_queue_of_a_dead_one() -> None:
    owner = start_dashboard(long_spec())
    first = run_folder(next_line(owner))
    waiting = create_run(spec(), PLAN)
    kill_at_once(owner)
    until(lambda: steps(first))
    supervisor = Supervisor()
    supervisor.round()
    assert recorded_status(waiting).status == "queued"
    kill_worker(first)
    rounds_until(supervisor, lambda: recorded_status(waiting).status == "completed")
    assert recorded_status(first).status == "interrupted"
    assert recorded_status(first).reason


def test_a_dashboard_starts_the_next_run_when_one_has_ended() -> None:
    owner = start_dashboard(spec(), spec())
    both = [run_folder(next_line(owner)) for _ in range(2)]
    until(lambda: all(recorded_status(folder).status == "completed" for folder in both))
    kill_at_once(owner)


@pytest.mark.parametrize("event", ["a worker ends", "a worker starts"])
def test_the_next_round_comes_at_once_when(event: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without either the test would run into its time limit.
    monkeypatch.setattr(supervising, "ROUND_SECONDS", NEVER)
    folder = run_folder(workers.start(long_spec()))
    supervisor = Supervisor()
    supervisor.round()
    if event == "a worker ends":
        spawning.spawned.clear()
        kill_worker(folder)
    supervisor._rest()
    supervisor.round()
    assert recorded_status(folder).over == (event == "a worker ends")


def test_a_child_that_ended_is_reaped() -> None:
    child = processes.start_detached([sys.executable, "-c", ""])
    supervisor = Supervisor()
    rounds_until(supervisor, lambda: child.returncode is not None)
    assert child not in processes._children


def test_a_stop_is_enforced_by_a_dashboard_that_was_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = run_folder(workers.start(long_spec(deaf=True)))
    until(lambda: steps(folder))
    (folder / "stop").touch()
    monkeypatch.setattr(supervising, "stop_timeout", lambda folder: 0.2)
    supervisor = Supervisor()
    rounds_until(supervisor, lambda: recorded_status(folder).over)
    assert recorded_status(folder).status == "stopped"
    assert "did not stop within" in recorded_status(folder).reason
    assert workers.worker_pid(folder) is None


def test_a_run_that_is_resumed_and_asked_again_has_its_whole_time() -> None:
    run = workers.start(long_spec(deaf=True))
    folder, supervisor = run_folder(run), Supervisor()
    until(lambda: steps(folder))
    workers.stop(run)
    supervisor.round()
    assert run in supervisor._asked
    workers.kill(run)
    workers.resume(run)
    supervisor.round()
    assert run not in supervisor._asked
    workers.kill(run)


def test_runs_that_are_over_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run = workers.start(spec())
    workers.wait(run)
    until(lambda: not open_folders() and run_folder(run) in folders._over, 10)
    supervisor = Supervisor()
    supervisor.round()
    monkeypatch.setattr(supervising, "status_of", lambda folder: pytest.fail("read again"))
    supervisor.round()


def test_a_folder_that_cannot_be_read_keeps_no_other_from_its_turn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, waits = create_run(spec(), PLAN), create_run(spec(), PLAN)
    write_status(broken, Status(status="running", pid=1, begun="gone"))

    def read(folder: Path) -> Status:
        if folder == broken:
            raise OSError("Stale file handle")
        return status_of(folder)

    monkeypatch.setattr(supervising, "status_of", read)
    supervisor = Supervisor()
    supervisor.round()
    assert "Stale file handle" in caplog.text
    rounds_until(supervisor, lambda: recorded_status(waits).status == "completed")


@pytest.mark.slow
def test_kills_for_memory_are_explained_with_the_price_of_the_run_one_at_a_time() -> None:
    both = []
    for _ in range(2):
        given = make_spec(model="nano", plan=preset("full").to_dict(), data="x.txt", batch_size=256)
        folder = create_run(given.to_dict(), given.plan)
        (folder / "process.json").write_text('{"pid": 1, "begun": "x", "memory_free": 3e9}')
        write_status(folder, Status("interrupted", SENTENCES["killed for memory"]))
        both.append(folder)
    supervisor = Supervisor()
    supervisor.round()
    assert len(supervisor._unexplained) == 1
    rounds_until(supervisor, lambda: all((folder / ADVICE).is_file() for folder in both), 240)
    for folder in both:
        until(partial(says_what_fits, folder))
        advice = json.loads((folder / ADVICE).read_text())
        assert 1 <= advice["changes"]["batch_size"] < 256
        assert recorded_status(folder).reason.startswith("The system killed the worker")
        assert "3.00 GB were free" in recorded_status(folder).reason


def test_a_dashboard_whose_port_is_taken_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "app.py", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == "Error: " + SENTENCES["port"]
