"""Which run goes to which GPU: two cards of a stand-in driver, and workers without a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen_ui import workers
from qwen_ui.runs import create_run, recorded_launch, recorded_status, run_folder
from qwen_ui.workers import spawn
from qwen_ui.workers.fork_server import ForkServer
from qwen_ui.workers.slots import Slots
from tests.helpers.fake_driver import GIGABYTE, FakeGpu, install
from tests.helpers.step_runs import PLAN, long_spec, spec

FULL = FakeGpu("GPU-full", free=1 * GIGABYTE)
EMPTY = FakeGpu("GPU-empty", free=23 * GIGABYTE)


@pytest.fixture(autouse=True)
def _two_gpus(monkeypatch: pytest.MonkeyPatch, step_worker: None) -> None:
    install(monkeypatch, FULL, EMPTY)


def gpus_of(run: str) -> list[str]:
    launched = recorded_launch(run_folder(run))
    assert launched is not None
    return [gpu.uuid for gpu in launched.gpus]


def visible_to(run: str) -> str:
    """`CUDA_VISIBLE_DEVICES` of a run's worker."""
    pid = workers.worker_pid(run_folder(run))
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return next(v.split("=", 1)[1] for v in variables if v.startswith("CUDA_VISIBLE_DEVICES="))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="Linux tells the environment")
def test_a_run_goes_to_the_emptiest_gpu_the_next_to_the_other_and_the_third_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # /proc tells the environment that a process was started with, which is not a forked one's.
    monkeypatch.setattr(spawn, "_fork_server", ForkServer())
    first, second, third = (workers.start(long_spec()) for _ in range(3))
    assert (gpus_of(first), visible_to(first)) == (["GPU-empty"], "GPU-empty")
    assert (gpus_of(second), visible_to(second)) == (["GPU-full"], "GPU-full")
    assert workers.queued_runs() == [third]
    assert set(workers.queue_position(third)[0]) == {first, second}
    workers.kill(second)
    assert workers.dispatch() == [third]
    assert gpus_of(third) == ["GPU-full"]


def test_a_run_on_the_cpu_waits_for_no_gpu() -> None:
    gpus = [workers.start(long_spec()) for _ in range(2)]
    cpu = workers.start(long_spec(device="cpu"))
    waits = workers.start(long_spec(device="cpu"))
    assert gpus_of(cpu) == []
    assert workers.queued_runs() == [waits]
    assert workers.queue_position(waits) == ([cpu], [])
    assert {uuid for run in gpus for uuid in gpus_of(run)} == {"GPU-full", "GPU-empty"}


def test_a_run_of_several_processes_takes_a_gpu_each_and_is_not_overtaken() -> None:
    first = workers.start(long_spec())
    both = create_run(spec(processes=2), PLAN)
    behind = create_run(spec(), PLAN)
    slots = Slots([run_folder(first)])
    assert slots.take(both) is None
    assert slots.take(behind) is None
    assert [gpu.uuid for gpu in Slots([]).take(both) or ()] == ["GPU-empty", "GPU-full"]


def test_more_gpus_than_there_are_is_a_mistake_that_holds_up_no_one() -> None:
    too_many = workers.start(spec(processes=3))
    status = recorded_status(run_folder(too_many))
    assert status.status == "failed"
    assert "this machine has 2" in status.reason
    assert gpus_of(workers.start(long_spec())) == ["GPU-empty"]


def test_several_runs_may_share_a_gpu_where_a_person_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QWEN_UI_WORKERS", "2")
    runs = [workers.start(long_spec()) for _ in range(5)]
    # The one that is empty first; a GPU that was just given away still looks empty.
    assert [gpus_of(run)[0] for run in runs[:4]] == ["GPU-empty", "GPU-full"] * 2
    assert workers.queued_runs() == runs[4:]


def test_a_run_that_cannot_be_started_gives_its_gpu_back() -> None:
    slots = Slots([])
    first, second, third = (create_run(spec(), PLAN) for _ in range(3))
    taken = slots.take(first)
    assert taken is not None
    slots.take(second)
    assert slots.take(third) is None
    slots.give_back(taken)
    # The queue is asked anew in each of its rounds; within one, the GPU is free again.
    assert slots._taken["GPU-empty"] == 0
