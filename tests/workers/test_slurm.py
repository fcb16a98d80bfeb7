"""Runs that a real Slurm places: submitted, watched, stopped, preempted, on a node that is lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qwen_ui import workers
from qwen_ui.errors import RunError
from qwen_ui.freeze import preset
from qwen_ui.paths import runs_folder
from qwen_ui.runs import (
    Placement,
    create_run,
    make_spec,
    read_events,
    recorded_placement,
    run_names,
    status_of,
)
from qwen_ui.workers import Supervisor, supervisor
from qwen_ui.workers.slurm_runs import hand_over
from tests.helpers import slurm
from tests.helpers.settings import SETTINGS
from tests.helpers.slurm import Cluster
from tests.helpers.step_runs import PLAN, spec, steps
from tests.helpers.waiting import until

LACKING = slurm.missing()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(LACKING), reason=LACKING)]
PATIENCE = 60.0


def cluster_of(home: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> Cluster:
    made = Cluster(home.parent / "slurm", **options)  # type: ignore[arg-type]
    monkeypatch.setenv("SLURM_CONF", str(made.configuration))
    monkeypatch.setattr(supervisor, "JOBS_SECONDS", 0.3)
    return made


@pytest.fixture
def cluster(
    step_worker: None, home_of_its_own: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    """A node that gives preempted jobs half a minute to end."""
    with cluster_of(home_of_its_own, monkeypatch, grace=30) as made:
        yield made


def submitted(steps: int = 100_000, pause: float = 0.05, **more: object) -> Path:
    """A run of the step worker that was handed to Slurm."""
    placement = Placement("low", gpus=1, minutes=30, asked=time.time())
    folder = create_run(spec(steps=steps, pause=pause, **more), PLAN, placement=placement)
    hand_over(folder, placement)
    return folder


def watched(folder: Path, holds: Callable[[], bool]) -> None:
    """Do a supervisor's rounds until this holds."""
    rounds = Supervisor()

    def look() -> bool:
        rounds.round()
        return holds()

    def told() -> str:
        log = folder / "worker.log"
        said = log.read_text() if log.exists() else ""
        return f"{status_of(folder)} {recorded_placement(folder)} {said[-1500:]}"

    until(look, PATIENCE, told)


def placement_of(folder: Path) -> Placement:
    placement = recorded_placement(folder)
    assert placement is not None
    return placement


def job_of(folder: Path) -> str:
    return placement_of(folder).job


def has_steps(folder: Path, count: int = 3) -> Callable[[], bool]:
    return lambda: len(steps(folder)) >= count


def test_a_run_is_submitted_watched_and_completed(cluster: Cluster) -> None:
    folder = submitted(steps=40)
    assert status_of(folder).status == "queued"
    watched(folder, lambda: status_of(folder).status == "running")
    assert placement_of(folder).label == f"Slurm job {job_of(folder)} on n1"
    assert workers.worker_pid(folder) is None
    # The queue of this machine has nothing to do with it.
    assert workers.queued_runs() == []
    with pytest.raises(RunError, match="is running already"):
        workers.resume(folder.name)
    watched(folder, lambda: status_of(folder).over)
    assert status_of(folder).status == "completed"
    assert steps(folder) == list(range(1, 41))
    events = [event["event"] for event in read_events(folder)[0]]
    assert events.count("start") == 1


def test_a_run_that_is_asked_saves_and_stops_and_is_resumed(cluster: Cluster) -> None:
    folder = submitted()
    watched(folder, has_steps(folder))
    workers.stop(folder.name)
    watched(folder, lambda: status_of(folder).over)
    assert status_of(folder).status == "stopped"
    done, first = steps(folder)[-1], job_of(folder)
    workers.resume(folder.name)
    assert job_of(folder) != first
    assert not status_of(folder).over
    watched(folder, has_steps(folder, done + 3))
    assert steps(folder) == list(range(1, len(steps(folder)) + 1))
    workers.kill(folder.name)
    watched(folder, lambda: status_of(folder).over)
    assert "cancelled in Slurm" in status_of(folder).reason


def test_a_job_that_waits_is_withdrawn(cluster: Cluster) -> None:
    first, second = submitted(), submitted()
    watched(first, has_steps(first))
    watched(second, lambda: "no node is free" in status_of(second).reason)
    assert status_of(second).status == "queued"
    workers.stop(second.name)
    assert status_of(second).status == "stopped"
    assert cluster.state(job_of(second)) == "CANCELLED"
    # Cancelled by hand: the worker takes a checkpoint on the signal.
    cluster("scancel", job_of(first))
    watched(first, lambda: status_of(first).over)
    assert status_of(first).status == "stopped"
    assert json.loads((first / "checkpoint.json").read_text())["step"] == steps(first)[-1]


@pytest.mark.usefixtures("step_worker")
@pytest.mark.parametrize("grace", [0, 30])
def test_a_preempted_run_goes_on_from_the_checkpoint_taken_on_the_signal(
    home_of_its_own: Path, monkeypatch: pytest.MonkeyPatch, grace: int
) -> None:
    with cluster_of(home_of_its_own, monkeypatch, grace=grace) as cluster:
        # No other checkpoint is taken.
        folder = submitted(checkpoint_every=10**6)
        watched(folder, has_steps(folder, 10))
        cluster("sbatch", "--partition=high", "--exclusive", "--time=1", "--wrap=sleep 3")
        watched(folder, lambda: "requeued once" in status_of(folder).reason)
        assert status_of(folder).status == "queued"
        saved = json.loads((folder / "checkpoint.json").read_text())["step"]
        assert saved >= 10
        with pytest.raises(RunError, match="is queued already"):
            workers.resume(folder.name)
        watched(folder, lambda: status_of(folder).status == "running")
        watched(folder, has_steps(folder, saved + 5))
        starts = [e["step"] for e in read_events(folder)[0] if e["event"] == "start"]
        assert starts == [0, saved]
        # Not a step was done twice.
        assert steps(folder) == list(range(1, len(steps(folder)) + 1))


@pytest.mark.usefixtures("step_worker")
def test_the_run_of_a_node_that_is_lost_goes_on_elsewhere(
    home_of_its_own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster_of(home_of_its_own, monkeypatch, nodes=("n1", "n2")) as cluster:
        folder = submitted()
        watched(folder, has_steps(folder, 15))
        watched(folder, lambda: bool(placement_of(folder).node))
        node = placement_of(folder).node
        cluster.lose_node(node)
        # Its worker can say nothing; the page says what Slurm knows.
        watched(folder, lambda: "requeued once" in status_of(folder).reason)
        before = len(read_events(folder)[0])
        watched(folder, lambda: len(read_events(folder)[0]) > before + 3)
        assert {node, placement_of(folder).node} == {"n1", "n2"}
        starts = [e["step"] for e in read_events(folder)[0] if e["event"] == "start"]
        assert starts[0] == 0
        assert starts[1] >= 10
        assert starts[1] % 10 == 0


def test_what_slurm_does_not_take_leaves_no_run(cluster: Cluster) -> None:
    asked = make_spec(
        model="nano", plan=preset("bitfit").to_dict(), **{**SETTINGS, "device": "auto"}
    )
    with pytest.raises(RunError, match="invalid partition"):
        workers.start(asked, workers.SlurmRequest("nowhere"))
    assert run_names() == []
    assert workers.partitions() == ["low", "high"]


def test_the_command_line_hands_over_and_waits_and_the_trainer_survives_a_preemption(
    home_of_its_own: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path, sentences: Path
) -> None:
    # So many that it is not over before the other job comes.
    settings = ["--steps", "600", "--preset", "attention", "--layers", "last:2", "--threads", "1"]
    settings += ["--batch-size", "1", "--sequence-length", "32", "--sample-tokens", "0"]
    job = ["--slurm", "--slurm-gpus", "0", "--slurm-partition", "low", "--slurm-hours", "0.5"]
    command = [sys.executable, "-m", "qwen_ui", "train", str(tiny), "--data", str(sentences)]
    with cluster_of(home_of_its_own, monkeypatch) as cluster:
        waits = subprocess.Popen(
            [*command, *settings, *job, "--json"], stdout=subprocess.PIPE, text=True
        )
        try:
            folder = runs_folder() / until(run_names)[0]
            until(has_steps(folder), 120)
            cluster("sbatch", "--partition=high", "--exclusive", "--time=1", "--wrap=sleep 1")
            until(lambda: "requeued once" in status_of(folder).reason, 120)
            told, _ = waits.communicate(timeout=240)
        finally:
            waits.kill()
            assert waits.stdout is not None
            waits.stdout.close()
    summary = json.loads(told)
    assert waits.returncode == 0
    assert summary["status"] == "completed"
    assert len(summary["losses"]) == 600
    starts = [e["step"] for e in read_events(folder)[0] if e["event"] == "start"]
    assert starts[0] == 0
    assert starts[1] >= 3
