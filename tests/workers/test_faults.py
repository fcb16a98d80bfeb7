"""Faults at random moments: no recorded step is lost, no run stays "running", the truth is told.

The short form runs with `make test`, the long one (200 moments) with `make test-long`.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from qwen_ui import workers
from qwen_ui.runs import create_run, run_folder, run_summary, status_of
from qwen_ui.runs.events import FILE_NAME
from qwen_ui.runs.failure import SENTENCES
from tests.helpers.step_runs import kill_at_once, next_line, spec, start_dashboard, steps
from tests.helpers.waiting import until

pytestmark = pytest.mark.usefixtures("step_worker")

TRUTH_SECONDS = 5.0


def spec_of(**more: Any) -> dict[str, Any]:
    """A run that goes on for longer than the moment at which it is disturbed."""
    return spec(**{"steps": 400, "pause": 0.002, **more})


def whole_lines(folder: Path) -> bytes:
    data = (folder / FILE_NAME).read_bytes() if (folder / FILE_NAME).is_file() else b""
    return data[: data.rfind(b"\n") + 1]


def check_worker_killed(chance: random.Random) -> None:
    """Killed at a random moment, told within five seconds, resumed to its end."""
    run = workers.start(spec_of())
    folder = run_folder(run)
    time.sleep(chance.uniform(0.0, 1.2))  # the random moment
    before = whole_lines(folder)
    pid = workers.worker_pid(folder)
    if pid is not None:
        os.kill(pid, chance.choice([signal.SIGKILL, signal.SIGTERM]))
    until(lambda: status_of(folder).over, TRUTH_SECONDS)
    assert whole_lines(folder).startswith(before)
    if status_of(folder).status != "completed":
        assert status_of(folder).status == "interrupted"
        assert status_of(folder).reason
        workers.resume(run)
    assert workers.wait(run)["status"] == "completed"
    assert whole_lines(folder).startswith(before)
    assert len(run_summary(folder)["losses"]) == 400


def check_dashboard_killed(chance: random.Random, *, both: bool, preload: bool = False) -> None:
    """The worker outlives its dashboard; another one finds it, or its end."""
    owner = start_dashboard(spec_of(), preload=preload)
    run = next_line(owner)
    folder = run_folder(run)
    time.sleep(chance.uniform(0.0, 0.8))  # the random moment
    kill_at_once(owner)
    if both and (pid := workers.worker_pid(folder)) is not None:
        os.kill(pid, signal.SIGKILL)
        until(lambda: status_of(folder).over, TRUTH_SECONDS)
        if status_of(folder).status != "completed":
            workers.resume(run)
    assert workers.wait(run)["status"] == "completed"
    assert sorted(set(steps(folder))) == list(range(1, 401))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_worker_killed_at_a_random_moment(seed: int) -> None:
    check_worker_killed(random.Random(seed))


@pytest.mark.slow
@pytest.mark.parametrize("preload", [False, True])
@pytest.mark.parametrize("both", [False, True])
def test_a_dashboard_killed_at_a_random_moment(both: bool, preload: bool) -> None:
    check_dashboard_killed(random.Random(1), both=both, preload=preload)


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
    run = workers.start(spec_of(steps=10_000))
    folder = run_folder(run)
    until(lambda: len(steps(folder)) > 5)
    workers.kill(run)
    before = steps(folder)
    with (folder / FILE_NAME).open("ab") as file:
        file.write(b'{"event": "step", "step": 99')
    assert steps(folder) == before
    workers.resume(run)
    until(lambda: len(steps(folder)) > len(before) + 5, 60)
    workers.kill(run)
    assert steps(folder)[: len(before)] == before


def test_a_full_disk_is_told_and_loses_nothing() -> None:
    run = workers.start(spec_of(steps=10_000, pause=0, file_limit=80_000))
    found = workers.wait(run)
    # The limit is on the log itself, so that its end could not be recorded in it.
    assert found["status"] in {"failed", "interrupted"}
    assert found["reason"] == SENTENCES["disk"]
    done = steps(run_folder(run))
    assert done == list(range(1, len(done) + 1))
    assert len(done) > 100


def test_a_clock_that_jumps_ends_no_run() -> None:
    run = workers.start(spec_of(steps=60, pause=0.01, clock_jumps_at=20))
    folder = run_folder(run)
    until(lambda: len(steps(folder)) > 25 or status_of(folder).over, 60)
    assert status_of(folder).status in {"running", "completed"}
    assert workers.wait(run)["status"] == "completed"


def test_a_run_in_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    folder = create_run(spec_of(steps=3), {"name": "a"})
    (folder / FILE_NAME).mkdir()
    workers.dispatch()
    until(lambda: status_of(folder).over, 60)
    assert status_of(folder).status == "interrupted"
    assert "IsADirectoryError" in status_of(folder).reason
