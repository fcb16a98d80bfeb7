"""The status of a run whose process is gone, whatever its file says."""

from __future__ import annotations

import os
import subprocess
import sys

from qwen_ui.runs import (
    create_run,
    status_of,
)
from qwen_ui.runs.process import is_alive, stamp
from qwen_ui.runs.status import recorded_status, write_status

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
