"""How a run of Slurm's stands: from what its worker recorded and what Slurm said last."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from qwen_ui.runs import (
    LAUNCHED,
    Placement,
    RunWriter,
    Status,
    Superseded,
    create_run,
    list_runs,
    recorded_placement,
    recorded_status,
    run_lock,
    status_of,
    write_placement,
    write_status,
)
from qwen_ui.runs import writer as writer_module
from qwen_ui.runs.placement import ENDS, Claim, placed_status
from tests.helpers.step_runs import PLAN, spec

FIRST, SECOND = Claim("7", 0, "n1"), Claim("7", 1, "n2")
QUEUED, RUNNING = Status("queued"), Status("running", pid=4)
SIGNALLED = Status("interrupted", "It was told to end and saved a checkpoint.")


def slurm(state: str, restarts: int = 0, **more: object) -> Placement:
    return Placement(job="7", state=state, node="n1", restarts=restarts, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "placement", "claim", "expected", "said"),
    [
        (QUEUED, slurm(""), None, "queued", "Slurm job 7 waits."),
        (QUEUED, slurm("PENDING", reason="Resources"), None, "queued", "no node is free"),
        (QUEUED, slurm("PENDING", reason="A, new one"), None, "queued", "waits: A, new one."),
        (QUEUED, slurm("CONFIGURING"), None, "queued", "starts on n1"),
        (QUEUED, slurm("RUNNING"), None, "queued", "starts on n1"),
        (RUNNING, slurm("RUNNING"), FIRST, "running", ""),
        (RUNNING, slurm("SUSPENDED"), FIRST, "running", "suspended"),
        (RUNNING, slurm("COMPLETING"), FIRST, "running", "Slurm decides what comes next"),
        # Its worker has ended, and Slurm does not say yet what comes next: no second is started.
        (SIGNALLED, slurm("RUNNING"), FIRST, "running", "Slurm decides what comes next"),
        (SIGNALLED, slurm("PENDING", 1), FIRST, "queued", "requeued once"),
        (SIGNALLED, slurm("RUNNING", 2), FIRST, "queued", "requeued 2 times"),
        # A node was lost: nobody recorded an end.
        (RUNNING, slurm("PENDING", 1), FIRST, "queued", "requeued once"),
        (RUNNING, slurm("RUNNING", 1), FIRST, "queued", "starts on n1"),
        (RUNNING, slurm("RUNNING", 1), SECOND, "running", ""),
        (RUNNING, slurm("NODE_FAIL"), FIRST, "interrupted", "node that it ran on was lost"),
        (RUNNING, slurm("TIMEOUT"), FIRST, "interrupted", "time limit was reached"),
        (RUNNING, slurm("PREEMPTED"), FIRST, "interrupted", "its place to another job"),
        (RUNNING, slurm("CANCELLED"), FIRST, "stopped", "cancelled in Slurm"),
        (QUEUED, slurm("CANCELLED"), None, "stopped", "cancelled in Slurm"),
        (SIGNALLED, slurm("FAILED"), FIRST, "interrupted", "saved a checkpoint"),
        (RUNNING, slurm("PENDING").forgotten(), FIRST, "interrupted", ""),
        # What the worker recorded of its own end stands.
        (Status("completed"), slurm("RUNNING"), FIRST, "completed", ""),
        (Status("stopped", "By a user."), slurm("COMPLETED"), FIRST, "stopped", "By a user."),
        (Status("failed", "No data."), slurm("PENDING", 1), FIRST, "failed", "No data."),
        (RUNNING, slurm("RUNNING", answered=False), FIRST, "running", "Slurm does not answer"),
    ],
)
def test_a_run_stands_as_worker_and_slurm_say(
    status: Status, placement: Placement, claim: Claim | None, expected: str, said: str
) -> None:
    found = placed_status(status, placement, claim)
    assert found.status == expected
    assert said in found.reason


def test_a_run_that_nobody_hands_over_is_not_awaited_for_ever() -> None:
    now = placed_status(QUEUED, Placement(asked=time.time()), None)
    assert (now.status, now.reason) == ("queued", "It is handed to Slurm.")
    later = placed_status(QUEUED, Placement(asked=time.time() - 90), None)
    assert later.status == "interrupted"
    assert "not handed to Slurm" in later.reason


@pytest.mark.parametrize("state", ENDS)
def test_a_job_that_has_ended_leaves_no_run_going_on(state: str) -> None:
    for status in (QUEUED, RUNNING, SIGNALLED):
        assert placed_status(status, slurm(state), FIRST).over


def placed(placement: Placement) -> Path:
    return create_run(spec(), PLAN, placement=placement)


def test_a_run_that_died_without_a_word_is_told_from_its_log() -> None:
    folder = placed(slurm("FAILED"))
    write_status(folder, Status("running"))
    (folder / "worker.log").write_text("slurmstepd: error: Exceeded job memory limit\n")
    found = status_of(folder)
    assert found.status == "interrupted"
    assert "Exceeded job memory limit" in found.reason
    assert recorded_status(folder).status == "interrupted"


def test_the_list_of_runs_follows_what_slurm_says() -> None:
    folder = placed(slurm("RUNNING"))
    write_status(folder, SIGNALLED)
    write_placement(folder, slurm("CANCELLED"))
    assert list_runs()[0]["status"] == "stopped"
    write_placement(folder, slurm("PENDING", 1))
    assert list_runs()[0]["status"] == "queued"


def test_a_damaged_placement_is_still_slurms() -> None:
    folder = placed(slurm("RUNNING"))
    (folder / "placement.json").write_text('{"job": 7, "state": "RUNNING", "gpus": -1}')
    assert recorded_placement(folder) == Placement(state="RUNNING")


@pytest.fixture
def _in_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(writer_module, "FORMER_PATIENCE_SECONDS", 0.1)


@pytest.mark.usefixtures("_in_a_job")
def test_a_worker_on_a_node_that_slurm_lost_writes_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = placed(slurm("RUNNING"))
    lost = RunWriter(folder)
    lost.event("step", step=1, loss=2.0)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with RunWriter(folder) as again:
        again.event("start", step=0)
        with pytest.raises(Superseded):
            lost.event("step", step=2, loss=2.0)
        with pytest.raises(Superseded):
            lost.status("failed")
        # The folder is the new one's alone, whatever the old one does as it ends.
        lost.close()
        with run_lock(folder) as held:
            assert not held
        again.status("completed")
    assert recorded_status(folder).status == "completed"


@pytest.mark.usefixtures("_in_a_job")
def test_a_stop_outlives_the_worker_that_had_to_make_room() -> None:
    folder = placed(slurm("RUNNING"))
    with RunWriter(folder) as writer:
        (folder / "stop").touch()
        writer.status("interrupted", "told to end")
    with RunWriter(folder) as writer:
        assert writer.stop_requested
        writer.status("stopped")
    assert not (folder / "stop").exists()


@pytest.mark.usefixtures("_in_a_job")
def test_a_local_worker_within_somebodys_job_is_not_that_job() -> None:
    folder = create_run(spec(), PLAN)
    with RunWriter(folder):
        assert not (folder / "claim.json").exists()
    assert not (folder / LAUNCHED).exists()
