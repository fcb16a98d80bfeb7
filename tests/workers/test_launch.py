"""Runs as real processes: started, followed, resumed, tried again."""

from __future__ import annotations

import pytest

from qwen_ui import workers
from qwen_ui.errors import RunError
from qwen_ui.runs import lineage_of, make_spec, read_events, read_spec, run_folder, status_of
from qwen_ui.workers import processes
from tests.helpers.step_runs import PLAN, long_spec, spec, steps
from tests.helpers.waiting import until

pytestmark = pytest.mark.usefixtures("step_worker")


def test_a_run_is_followed_to_its_end() -> None:
    seen: list[str] = []
    run = workers.start(spec(steps=5))
    found = workers.wait(run, lambda event: seen.append(event["event"]))
    assert found["status"] == "completed"
    assert len(found["losses"]) == 5
    assert seen == ["start", *["step"] * 5, "end"]


def test_resume_continues_where_a_run_was_stopped() -> None:
    run = workers.start(spec(steps=100, pause=0.02))
    folder = run_folder(run)
    until(lambda: len(steps(folder)) >= 3)
    workers.stop(run)
    assert workers.wait(run)["status"] == "stopped"
    assert steps(folder)[-1] < 100
    workers.resume(run)
    assert workers.wait(run)["status"] == "completed"
    assert steps(folder) == list(range(1, 101))
    assert len(lineage_of(folder).resumed) == 1


def test_of_two_that_resume_at_once_one_is_told() -> None:
    run = workers.start(long_spec())
    folder = run_folder(run)
    until(lambda: steps(folder))
    workers.kill(run)
    before = len(steps(folder))
    workers.resume(run)
    with pytest.raises(RunError, match="already"):
        workers.resume(run)
    until(lambda: len(steps(folder)) > before)
    starts = [event for event in read_events(folder)[0] if event["event"] == "start"]
    assert len(starts) == 2
    workers.kill(run)


def test_a_worker_that_never_begins_is_told_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "WORKER", "tests.helpers.no_such_worker")
    found = workers.wait(workers.start(spec()))
    assert found["status"] == "interrupted"
    assert "no_such_worker" in found["reason"]


def test_a_completed_run_is_not_resumed() -> None:
    run = workers.start(spec(steps=1))
    workers.wait(run)
    with pytest.raises(RunError, match="is completed"):
        workers.resume(run)


def test_retry_changes_settings_and_keeps_the_rest() -> None:
    given = make_spec(model="nano", plan=PLAN, data="x.txt", steps=2, batch_size=3)
    run = workers.start(given)
    workers.wait(run)
    again = workers.wait(workers.retry(run, steps=4))
    assert again["run"] != run
    assert len(again["losses"]) == 4
    assert read_spec(run_folder(again["run"])) == given.changed(steps=4)
    assert lineage_of(run_folder(again["run"])).retry_of == run
    assert lineage_of(run_folder(run)).retry_of == ""


def test_whoever_waits_for_one_run_moves_the_whole_queue_on() -> None:
    first, second, third = (workers.start(spec(steps=3)) for _ in range(3))
    assert workers.wait(third)["status"] == "completed"
    for run in (first, second):
        assert status_of(run_folder(run)).status == "completed"
