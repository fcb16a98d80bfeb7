"""Faults at random moments: no recorded step is lost, no run stays "running", the truth is told.

The short form runs with `make test`, the long one (200 moments) with `make test-long`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from qwen_ui.runs.events import FILE_NAME, read_events
from qwen_ui.runs.failure import SENTENCES
from qwen_ui.runs.folder import create_run
from qwen_ui.runs.summary import run_folder, run_summary, status_of
from qwen_ui.workers import launch

pytestmark = pytest.mark.usefixtures("step_worker")

REPOSITORY = Path(__file__).resolve().parents[2]
TRUTH_SECONDS = 5.0


def spec(steps: int = 400, pause: float = 0.002, **more: Any) -> dict[str, Any]:
    return {"model": "nano", "plan": {"name": "a"}, "steps": steps, "pause": pause, **more}


def steps(folder: Path) -> list[int]:
    return [event["step"] for event in read_events(folder)[0] if event["event"] == "step"]


def until(what: Any, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def dashboard(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.dashboard", *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def whole_lines(folder: Path) -> bytes:
    data = (folder / FILE_NAME).read_bytes() if (folder / FILE_NAME).is_file() else b""
    return data[: data.rfind(b"\n") + 1]


def check_worker_killed(chance: random.Random) -> None:
    """Killed at a random moment, told within five seconds, resumed to its end."""
    run = launch.start(spec())
    folder = run_folder(run)
    time.sleep(chance.uniform(0.0, 1.2))
    before = whole_lines(folder)
    pid = launch.worker_pid(folder)
    if pid is not None:
        os.kill(pid, chance.choice([signal.SIGKILL, signal.SIGTERM]))
    until(lambda: status_of(folder).over, TRUTH_SECONDS)
    assert whole_lines(folder).startswith(before)
    if status_of(folder).status != "completed":
        assert status_of(folder).status == "interrupted"
        assert status_of(folder).reason
        launch.resume(run)
    assert launch.wait(run)["status"] == "completed"
    assert whole_lines(folder).startswith(before)
    assert len(run_summary(folder)["losses"]) == 400


def check_dashboard_killed(chance: random.Random, *, both: bool) -> None:
    """The worker outlives its dashboard; another one finds it, or its end."""
    owner = dashboard(json.dumps(spec()))
    run = first_line(owner)
    folder = run_folder(run)
    time.sleep(chance.uniform(0.0, 0.8))
    owner.kill()
    owner.communicate()
    if both and (pid := launch.worker_pid(folder)) is not None:
        os.kill(pid, signal.SIGKILL)
        until(lambda: status_of(folder).over, TRUTH_SECONDS)
        if status_of(folder).status != "completed":
            launch.resume(run)
    assert launch.wait(run)["status"] == "completed"
    assert sorted(set(steps(folder))) == list(range(1, 401))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_worker_killed_at_a_random_moment(seed: int) -> None:
    check_worker_killed(random.Random(seed))


@pytest.mark.slow
@pytest.mark.parametrize("both", [False, True])
def test_a_dashboard_killed_at_a_random_moment(both: bool) -> None:
    check_dashboard_killed(random.Random(1), both=both)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100))
def test_many_workers_killed(seed: int) -> None:
    check_worker_killed(random.Random(1000 + seed))


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("seed", range(50))
def test_many_dashboards_killed(seed: int, both: bool) -> None:
    check_dashboard_killed(random.Random(2000 + seed), both=both)


def test_a_torn_last_line_costs_nothing_that_was_recorded() -> None:
    run = launch.start(spec(steps=10_000))
    folder = run_folder(run)
    until(lambda: len(steps(folder)) > 5, 60)
    launch.kill(run)
    before = steps(folder)
    with (folder / FILE_NAME).open("ab") as file:
        file.write(b'{"event": "step", "step": 99')
    assert steps(folder) == before
    launch.resume(run)
    until(lambda: len(steps(folder)) > len(before) + 5, 60)
    launch.kill(run)
    assert steps(folder)[: len(before)] == before


def test_a_full_disk_is_told_and_loses_nothing() -> None:
    run = launch.start(spec(steps=10_000, pause=0, file_limit=80_000))
    found = launch.wait(run)
    # The limit is on the log itself, so that its end could not be recorded in it.
    assert found["status"] in {"failed", "interrupted"}
    assert found["reason"] == SENTENCES["disk"]
    done = steps(run_folder(run))
    assert done == list(range(1, len(done) + 1))
    assert len(done) > 100


def test_a_clock_that_jumps_ends_no_run() -> None:
    run = launch.start(spec(steps=60, pause=0.01, clock_jumps_at=20))
    folder = run_folder(run)
    until(lambda: len(steps(folder)) > 25 or status_of(folder).over, 60)
    assert status_of(folder).status in {"running", "completed"}
    assert launch.wait(run)["status"] == "completed"


def test_two_dashboards_start_a_queued_run_once() -> None:
    folders = [create_run(spec(steps=3), {"name": f"r{i}"}) for i in range(3)]
    pair = [dashboard(), dashboard()]
    assert [first_line(process) for process in pair] == ["ready", "ready"]
    begun = [process.communicate()[0].split() for process in pair]
    for folder in folders:
        assert launch.wait(folder.name)["status"] == "completed"
        names = [event["event"] for event in read_events(folder)[0]]
        assert names.count("start") == 1
    assert len([name for names in begun for name in names]) <= len(folders)


def test_a_run_in_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    folder = create_run(spec(steps=3), {"name": "a"})
    (folder / FILE_NAME).mkdir()
    launch.dispatch()
    until(lambda: status_of(folder).over, 60)
    assert status_of(folder).status == "interrupted"
    assert "IsADirectoryError" in status_of(folder).reason
