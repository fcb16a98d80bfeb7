"""The folder of a run, its status, its summary."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qwen_ui.errors import RunError
from qwen_ui.runs import (
    RunWriter,
    create_run,
    delete_run,
    list_runs,
    run_folder,
    run_names,
    run_summary,
    status_of,
)
from qwen_ui.runs.process import is_alive, stamp
from qwen_ui.runs.status import recorded_status, write_status
from qwen_ui.workers import queued_runs

SPEC = {"model": "nano", "steps": 4}
PLAN = {"name": "attention", "rules": []}


def dead_process() -> tuple[int, str]:
    """Id and stamp of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    begun = stamp(process.pid)
    assert begun is not None
    assert is_alive(process.pid, begun)
    process.communicate(b"\n")
    return process.pid, begun


def test_a_new_run_is_whole_and_queued(home_of_its_own: Path) -> None:
    folder = create_run(SPEC, PLAN)
    assert run_folder(folder.name) == folder
    assert status_of(folder).status == "queued"
    assert json.loads((folder / "plan.json").read_text()) == PLAN
    assert json.loads((folder / "environment.json").read_text())["packages"]["torch"]
    assert sorted(os.listdir(folder.parent)) == [folder.name]
    assert "attention-nano" in folder.name


def test_names_stay_inside_the_folder_whatever_a_plan_is_called() -> None:
    folder = create_run({"model": "../../x"}, {"name": "../..//Ünï <b>"})
    assert folder.parent.name == "runs"
    assert run_names() == [folder.name]


@pytest.mark.parametrize("name", ["", "..", "../runs", "/etc", "no-such-run", "a/b", ".new-x"])
def test_a_run_that_is_not_there_is_a_sentence(name: str) -> None:
    with pytest.raises(RunError, match="There is no run"):
        run_folder(name)


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


def test_a_run_whose_process_is_gone_is_interrupted() -> None:
    folder = create_run(SPEC, PLAN)
    pid, begun = dead_process()
    status = recorded_status(folder)
    write_status(folder, type(status)(status="running", pid=pid, begun=begun, steps=4))
    assert status_of(folder).status == "interrupted"
    assert "killed" in status_of(folder).reason
    assert recorded_status(folder).status == "interrupted"


def test_a_reused_process_id_is_not_the_worker() -> None:
    folder = create_run(SPEC, PLAN)
    status = recorded_status(folder)
    own = stamp(os.getpid())
    write_status(folder, type(status)(status="running", pid=os.getpid(), begun=own))
    assert status_of(folder).status == "running"
    write_status(folder, type(status)(status="running", pid=os.getpid(), begun="another boot:1"))
    assert status_of(folder).status == "interrupted"


def test_a_zombie_does_not_live() -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    begun = None
    while (now := stamp(process.pid)) is not None:
        begun = now
    assert not is_alive(process.pid, begun)
    process.wait()


def test_last_words_are_the_error_of_the_log() -> None:
    folder = create_run(SPEC, PLAN)
    (folder / "worker.log").write_text("Traceback (most recent call last):\n  x\nValueError: odd\n")
    pid, begun = dead_process()
    write_status(folder, type(recorded_status(folder))(status="running", pid=pid, begun=begun))
    assert status_of(folder).reason == "The worker ended with an error: ValueError: odd"


def test_a_read_only_folder_still_tells_the_truth() -> None:
    folder = create_run(SPEC, PLAN)
    pid, begun = dead_process()
    write_status(folder, type(recorded_status(folder))(status="running", pid=pid, begun=begun))
    folder.chmod(0o555)
    try:
        assert status_of(folder).status == "interrupted"
    finally:
        folder.chmod(0o755)


def test_the_summary_holds_what_the_command_promises() -> None:
    folder = create_run(SPEC, PLAN)
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=4, prefix_blocks=24)
        run.event("eval", step=0, loss=6.5)
        for step in range(1, 5):
            run.event(
                "step",
                step=step,
                loss=6.0 / step,
                seconds=0.5,
                tokens=step * 100,
                memory_bytes=step,
            )
        run.event("eval", step=4, loss=5.5)
        run.event("end", status="completed", reason="")
        run.status("completed", step=4)
    found = run_summary(folder)
    assert found["losses"] == [6.0, 3.0, 2.0, 1.5]
    assert (found["eval_loss_before"], found["eval_loss_after"]) == (6.5, 5.5)
    assert found["seconds_per_step"] == 0.5
    assert found["tokens_per_second"] == 200
    assert found["prefix_blocks"] == 24
    assert found["peak_bytes"] == 4
    assert found["status"] == "completed"
    assert found["delta"] is None


def test_steps_done_again_after_a_resume_count_once() -> None:
    folder = create_run(SPEC, PLAN)
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=4)
        for step in (1, 2, 3):
            run.event("step", step=step, loss=float(step))
    with RunWriter(folder) as run:
        run.event("start", step=2, steps=4)
        assert run_summary(folder)["losses"] == [1.0, 2.0]
        run.event("step", step=3, loss=30.0)
    assert run_summary(folder)["losses"] == [1.0, 2.0, 30.0]


def test_the_list_has_a_row_a_run_the_newest_first() -> None:
    names = [create_run(SPEC, {"name": f"p{i}"}).name for i in range(3)]
    (run_folder(names[0]).parent / "junk").mkdir()
    rows = list_runs()
    assert [row["run"] for row in rows] == sorted(names, reverse=True)
    assert set(rows[0]) == {"run", "status", "step", "steps", "loss", "reason"}


def test_a_run_is_deleted_only_when_over() -> None:
    folder = create_run(SPEC, PLAN)
    with RunWriter(folder) as run:
        with pytest.raises(RunError, match="not over"):
            delete_run(folder.name)
        run.status("stopped")
    delete_run(folder.name)
    assert run_names() == []


def test_what_is_no_run_is_never_taken_for_one(home_of_its_own: Path) -> None:
    folder = create_run(SPEC, PLAN)
    list_runs()
    (folder.parent / "junk").mkdir()
    (folder.parent / "file.txt").touch()
    assert queued_runs() == [folder.name]
    (folder / "status.json").write_text("{ torn")
    assert status_of(folder).status == "interrupted"
    assert queued_runs() == []
