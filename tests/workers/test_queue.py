"""The queue: who waits, and that each run is started once."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui import workers
from qwen_ui.runs import create_run, read_events, run_folder, status_of
from qwen_ui.workers import queue
from tests.helpers.step_runs import PLAN, long_spec, next_line, spec, start_dashboard
from tests.helpers.waiting import until

pytestmark = pytest.mark.usefixtures("step_worker")


def test_a_second_run_waits_for_the_first() -> None:
    first = workers.start(long_spec())
    second = workers.start(spec(steps=2))
    third = workers.start(spec(steps=2))
    assert workers.queued_runs() == [second, third]
    assert status_of(run_folder(second)).status == "queued"
    assert workers.queue_position(third) == ([first], [second])
    workers.stop(first)
    assert workers.wait(second)["status"] == "completed"


def test_as_many_run_at_a_time_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_UI_WORKERS", "2")
    first, second, third = (workers.start(long_spec()) for _ in range(3))
    busy, ahead = workers.queue_position(third)
    assert (set(busy), ahead) == ({first, second}, [])
    for run in (first, second):
        workers.kill(run)
    assert workers.dispatch() == [third]
    workers.kill(third)


def test_a_run_waits_for_the_one_that_finds_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN_UI_WORKERS", "3")
    finder = workers.start(long_spec())
    follower = workers.start(spec(steps=2, learning_rate_run=finder))
    given = workers.start(spec(steps=2, learning_rate_run=finder, learning_rate=1e-3))
    orphan = workers.start(spec(steps=2, learning_rate_run="gone"))
    assert workers.queued_runs() == [follower]
    for run in (given, orphan):
        assert workers.wait(run)["status"] == "completed"
    assert workers.queued_runs() == [follower]
    workers.kill(finder)
    assert workers.wait(follower)["status"] == "completed"


def test_two_dashboards_start_a_queued_run_once() -> None:
    folders = [create_run(spec(steps=3), PLAN) for _ in range(3)]
    pair = [start_dashboard(), start_dashboard()]
    assert [next_line(process) for process in pair] == ["ready", "ready"]
    begun = [process.communicate()[0].split() for process in pair]
    for folder in folders:
        assert workers.wait(folder.name)["status"] == "completed"
        names = [event["event"] for event in read_events(folder)[0]]
        assert names.count("start") == 1
    assert len([name for names in begun for name in names]) <= len(folders)


def test_what_cannot_be_started_stays_in_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = create_run(spec(), PLAN)

    def fail(folder: Path, gpus: object) -> None:
        raise FileNotFoundError(folder)

    with monkeypatch.context() as gone:
        gone.setattr(queue, "spawn", fail)
        with pytest.raises(FileNotFoundError):
            workers.dispatch()
    assert workers.queued_runs() == [waits.name]
    assert workers.dispatch() == [waits.name]
    until(lambda: status_of(waits).over)
