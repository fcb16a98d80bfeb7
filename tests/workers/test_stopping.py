"""Runs that are asked to stop, runs that are killed."""

from __future__ import annotations

import pytest

from qwen_ui import workers
from qwen_ui.errors import RunError
from qwen_ui.runs import create_run, run_folder, status_of
from qwen_ui.runs.status import recorded_status, write_status
from qwen_ui.runs.writer import SAVING
from qwen_ui.workers.stopping import KILLED, stop_timeout
from tests.helpers.step_runs import PLAN, long_spec, spec, steps
from tests.helpers.waiting import until

pytestmark = pytest.mark.usefixtures("step_worker")


def test_a_run_that_is_asked_saves_and_stops() -> None:
    run = workers.start(long_spec())
    folder = run_folder(run)
    until(lambda: len(steps(folder)) >= 3)
    workers.stop(run)
    until(lambda: status_of(folder).over)
    assert status_of(folder).status == "stopped"
    assert (folder / "checkpoint.json").is_file()


def test_a_stop_while_the_worker_starts_is_not_lost() -> None:
    run = workers.start(long_spec())
    workers.stop(run)
    assert workers.wait(run)["status"] == "stopped"
    assert len(steps(run_folder(run))) <= 2


def test_a_waiting_run_can_be_stopped() -> None:
    first = workers.start(long_spec())
    second = workers.start(spec())
    workers.stop(second)
    assert status_of(run_folder(second)).status == "stopped"
    assert workers.queued_runs() == []
    workers.kill(first)


def test_a_run_that_is_over_is_not_stopped() -> None:
    run = workers.start(spec(steps=1))
    workers.wait(run)
    with pytest.raises(RunError, match="is over already"):
        workers.stop(run)


def test_kill_ends_a_run_at_once_and_says_so() -> None:
    run = workers.start(long_spec())
    folder = run_folder(run)
    until(lambda: steps(folder))
    workers.kill(run)
    assert status_of(folder).status == "interrupted"
    assert status_of(folder).reason == KILLED
    assert workers.worker_pid(folder) is None
    with pytest.raises(RunError, match="no process"):
        workers.kill(run)


def test_a_worker_that_acknowledged_the_stop_is_given_time_to_save() -> None:
    folder = create_run(spec(), PLAN)
    before = stop_timeout(folder)
    write_status(folder, type(recorded_status(folder))("running", SAVING))
    assert stop_timeout(folder) > before + 600
