"""Disks that are full or that turn read-only under a run: small file systems made for the test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from qwen_ui import workers
from qwen_ui.errors import RunError
from qwen_ui.paths import runs_folder
from qwen_ui.runs import create_run, run_folder, run_names, run_rows, status_of
from qwen_ui.runs.failure import SENTENCES
from qwen_ui.workers import processes
from tests.helpers.step_runs import spec, steps
from tests.helpers.waiting import until


@pytest.fixture
def small_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file system of 512 kB that is the home of all runs."""
    monkeypatch.setattr(processes, "WORKER", "tests.helpers.step_worker")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no right to mount a file system here")
    monkeypatch.setenv("QWEN_UI_HOME", str(disk))
    yield disk
    for name in run_names():
        pid = workers.worker_pid(runs_folder() / name)
        if pid is not None:
            processes.end_tree(pid)
    subprocess.run(["umount", "-l", str(disk)], check=True)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def fill_with_runs() -> None:
    for number in range(100):
        create_run(spec(), {"name": f"filling-{number}"})


def long_run(**more: Any) -> Path:
    return run_folder(workers.start(spec(steps=100_000, pause=0.001, **more)))


def test_a_full_disk_ends_a_run_with_its_reason_and_room_lets_it_go_on(small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(200_000))
    folder = long_run()
    until(lambda: status_of(folder).over, 120)
    assert status_of(folder).status == "failed"
    assert status_of(folder).reason.startswith(SENTENCES["disk"])
    done = steps(folder)
    assert done == list(range(1, len(done) + 1))
    assert len(done) > 50
    with pytest.raises(RunError, match="disk is full"):
        fill_with_runs()
    filler.unlink()
    workers.resume(folder.name)
    until(lambda: steps(folder)[-1] > done[-1] or status_of(folder).over, 60)
    assert steps(folder)[: len(done)] == done
    assert steps(folder)[-1] > done[-1]


def test_a_disk_that_turns_read_only_is_told_and_loses_nothing(small_disk: Path) -> None:
    folder = long_run()
    until(lambda: len(steps(folder)) > 20, 60)
    before = len(steps(folder))
    # Refused while files are open for writing; a disk that fails does not ask, so the worker goes.
    pid = workers.worker_pid(folder)
    assert pid is not None
    psutil.Process(pid).suspend()
    psutil.Process(pid).kill()
    until(lambda: not psutil.pid_exists(pid) or workers.worker_pid(folder) is None, 10)
    remount(small_disk, "ro")
    try:
        until(lambda: status_of(folder).over, 5)
        assert status_of(folder).status == "interrupted"
        assert len(steps(folder)) >= before
        (record,) = run_rows(runs_folder())
        assert record["status"] == "interrupted"
        with pytest.raises(RunError, match="cannot be written"):
            workers.start(spec())
    finally:
        remount(small_disk, "rw")
    workers.resume(folder.name)
    until(lambda: steps(folder)[-1] > before, 60)
