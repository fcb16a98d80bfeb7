"""Workers that are forked from a process which imported everything, and the plain way beside it."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_ui import workers
from qwen_ui.runs import run_folder, status_of
from qwen_ui.runs.process import is_alive, stamp
from qwen_ui.workers import fork_server, processes, spawn
from qwen_ui.workers.fork_server import ForkServer
from qwen_ui.workers.processes import child_environment
from tests.helpers.step_runs import long_spec, spec, steps
from tests.helpers.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("step_worker"),
    pytest.mark.skipif(not fork_server.available(), reason="workers are not forked here"),
]


@pytest.fixture(scope="module")
def started() -> Iterator[ForkServer]:
    own = ForkServer()
    own.start()
    yield own
    own.stop()


@pytest.fixture
def server(started: ForkServer, monkeypatch: pytest.MonkeyPatch) -> ForkServer:
    """A server of this file's own, in use by `launch`; alive, whatever the last test did."""
    started.start()
    assert started.ready(wait=120)
    monkeypatch.setattr(spawn, "_fork_server", started)
    return started


def parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


def pid_of(server: ForkServer) -> int:
    assert server._process is not None
    return server._process.pid


def test_a_forked_worker_is_a_process_of_its_own(server: ForkServer) -> None:
    run = workers.start(long_spec())
    pid = workers.worker_pid(run_folder(run))
    assert pid is not None
    until(lambda: status_of(run_folder(run)).step > 0)
    assert parent_of(pid) == pid_of(server)
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/fd/0").readlink() == Path(os.devnull)
    for output in (1, 2):
        assert Path(f"/proc/{pid}/fd/{output}").readlink() == run_folder(run) / "worker.log"
    workers.stop(run)
    assert workers.wait(run)["status"] == "stopped"
    until(lambda: not Path(f"/proc/{pid}").exists())  # No zombie is left.


def test_a_worker_with_other_libraries_settings_is_not_forked(
    server: ForkServer, tmp_path: Path
) -> None:
    environment = {**child_environment(), "OMP_NUM_THREADS": "7"}
    assert server.fork(processes.WORKER, tmp_path, tmp_path / "log", environment) is None
    assert server.ready()


def test_a_worker_outlives_the_process_that_forked_it(server: ForkServer) -> None:
    run = workers.start(long_spec())
    folder = run_folder(run)
    until(lambda: len(steps(folder)) > 3)
    pid, begun = pid_of(server), stamp(pid_of(server))
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid, begun))
    before = len(steps(folder))
    until(lambda: len(steps(folder)) > before)
    workers.kill(run)
    assert status_of(folder).status == "interrupted"


def test_without_it_a_worker_is_started_the_plain_way(server: ForkServer) -> None:
    os.kill(pid_of(server), 9)
    run = workers.start(spec())
    assert workers.wait(run)["status"] == "completed"
    assert not server.ready()


def test_one_that_is_not_ready_or_not_allowed_forks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server, "available", lambda: False)
    server = ForkServer()
    server.start()
    assert not server.ready(wait=1)
    assert server.fork(processes.WORKER, tmp_path, tmp_path / "log", {}) is None


def test_a_process_that_has_asked_a_gpus_driver_forks_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # A device that every machine has stands in for a driver's.
    monkeypatch.setattr(fork_server, "DRIVERS", re.compile("/dev/zero"))
    monkeypatch.setattr(fork_server, "PRELOADED", ())
    assert not fork_server.asked_a_driver()
    with Path("/dev/zero").open("rb"):
        assert fork_server.asked_a_driver()
        assert fork_server._serve() == 1
    assert "ready" not in capsys.readouterr().out
