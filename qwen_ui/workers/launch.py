"""Start, stop, resume and wait for workers. A worker is a process of its own that nobody must feed.

It is started detached, with its output in a file of the run's folder; the folder is all that it
shares with us. Whoever starts, ends or watches a run calls `dispatch`, which starts what waits.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from qwen_ui.errors import RunError
from qwen_ui.files import locked, read_json
from qwen_ui.paths import runs_folder
from qwen_ui.runs.events import Event, read_events
from qwen_ui.runs.failure import LOG_NAME
from qwen_ui.runs.folder import create_run, open_folders, queue_lock, run_folder, status_of
from qwen_ui.runs.process import child_environment, lives, stamp
from qwen_ui.runs.spec import read_spec
from qwen_ui.runs.status import (
    LAUNCHED,
    Status,
    note_launch,
    recorded_status,
    write_status,
)
from qwen_ui.runs.summary import run_summary
from qwen_ui.runs.writer import STOP
from qwen_ui.workers.devices import find_devices
from qwen_ui.workers.fork_server import ForkServer
from qwen_ui.workers.launch_command import Launch, launch_command
from qwen_ui.workers.memory_advice import ADVICE
from qwen_ui.workers.stopping import kill, stop, worker_pid

__all__ = [
    "capacity",
    "dispatch",
    "keep_ready",
    "kill",
    "place",
    "queued_runs",
    "resume",
    "retry",
    "start",
    "stop",
    "wait",
    "worker_pid",
]

WORKER = "qwen_ui.workers.worker"
POLL_SECONDS = 0.2
IMPORT_PATIENCE_SECONDS = 60.0

_fork_server = ForkServer()
logger = logging.getLogger("qwen_ui")


def keep_ready(*, wait: bool = False) -> None:
    """From now on have a process with everything imported at hand, so that runs begin at once.

    Args:
        wait: until it is ready. For a command that starts several runs, not for a page.
    """
    _fork_server.start()
    if wait:
        _fork_server.ready(IMPORT_PATIENCE_SECONDS)


def start(spec: BaseModel | dict[str, Any]) -> str:
    """Make a run of this `RunSpec` and start it, or let it wait where the device is busy."""
    record = spec.model_dump(mode="json") if isinstance(spec, BaseModel) else spec
    folder = create_run(record, record.get("plan") or {})
    dispatch()
    return folder.name


def resume(run: str) -> str:
    """Go on with a run that ended before its last step, from its last checkpoint.

    Raises:
        RunError: no such run, it still runs, or it is completed.
    """
    folder = run_folder(run)
    # Looked at with the lock held: of two that press the button, one is told.
    with locked(queue_lock()):
        status = status_of(folder)
        if status.status == "completed":
            raise RunError(f"The run '{run}' is completed. Start a new one to train further.")
        if not status.over:
            raise RunError(f"The run '{run}' is {status.status} already.")
        (folder / ADVICE).unlink(missing_ok=True)
        (folder / LAUNCHED).unlink(missing_ok=True)
        (folder / STOP).unlink(missing_ok=True)
        write_status(folder, replace(status, status="queued", reason="", pid=None, begun=None))
    dispatch()
    return run


def retry(run: str, **changes: Any) -> str:
    """A new run with the settings of this one, some of them changed."""
    return start({**read_json(run_folder(run) / "spec.json"), **changes})


def wait(run: str, on_event: Callable[[Event], None] | None = None) -> dict[str, Any]:
    """Follow a run to its end, handing every event to `on_event`; its summary.

    While the run waits in the queue, this process starts what can be started.
    """
    folder, offset = run_folder(run), 0
    while True:
        # The status first: what is recorded after an end that we saw cannot be missed.
        over = status_of(folder).over
        events, offset = read_events(folder, offset)
        for event in events:
            if on_event is not None:
                on_event(event)
        if over:
            return run_summary(folder)
        dispatch()
        time.sleep(POLL_SECONDS)


def capacity() -> int:
    """How many workers may run at a time (`QWEN_UI_WORKERS`, 1 unless told)."""
    told = os.environ.get("QWEN_UI_WORKERS", "1")
    return max(1, int(told)) if told.isdecimal() else 1


def queued_runs() -> list[str]:
    """Runs that wait for their turn, the next one first."""
    return [name for name, _ in _by_turn() if not (runs_folder() / name / LAUNCHED).is_file()]


def place(run: str) -> tuple[list[str], list[str]]:
    """Where a queued run stands: the runs that have the device, those that wait before it."""
    waiting = queued_runs()
    before = waiting[: waiting.index(run)] if run in waiting else []
    return [folder.name for folder in open_folders() if _busy(folder)], before


def dispatch() -> list[str]:
    """Start what waits, as far as there is room. Several processes may call it at a time."""
    if not any(True for _ in queued_runs()):
        return []
    begun = []
    with locked(queue_lock()):
        room = capacity() - sum(1 for folder in open_folders() if _busy(folder))
        for name in queued_runs()[: max(0, room)]:
            _spawn(runs_folder() / name)
            begun.append(name)
    return begun


def _by_turn() -> list[tuple[str, Status]]:
    found = ((folder.name, recorded_status(folder)) for folder in open_folders())
    waiting = [(name, status) for name, status in found if status.status == "queued"]
    return sorted(waiting, key=lambda pair: (pair[1].created, pair[0]))


def _busy(folder: Path) -> bool:
    """Whether this run has a living process (one that is over may still be saving)."""
    return not recorded_status(folder).over and worker_pid(folder) is not None


def _spawn(folder: Path) -> None:
    """Start this run's worker: a fork where one can be had, a process by itself, or several."""
    if read_json(folder / "spec.json").get("processes", 1) != 1:
        spec = read_spec(folder / "spec.json")
        _begin(folder, launch_command(spec, folder, device=find_devices(spec.device).kind))
        return
    pid = _fork_server.fork(WORKER, folder, folder / LOG_NAME, child_environment())
    if pid is None:
        _begin(folder, Launch((sys.executable, "-m", WORKER, str(folder)), {}))
        return
    note_launch(folder, pid)
    threading.Thread(target=_await, args=(pid, stamp(pid), folder), daemon=True).start()


def _begin(folder: Path, started: Launch) -> None:
    with (folder / LOG_NAME).open("ab") as log:
        process = subprocess.Popen(
            started.command,
            env={**child_environment(), **started.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    note_launch(folder, process.pid)
    threading.Thread(target=_reap, args=(process, folder), daemon=True).start()


def _reap(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Take the ended process off the system's table."""
    process.wait()
    _ended(folder)


def _await(pid: int, begun: str | None, folder: Path) -> None:
    """Wait for the end of a process that is not our child."""
    while lives(pid, begun):
        time.sleep(POLL_SECONDS)
    _ended(folder)


def _ended(folder: Path) -> None:
    """See to the status of a run whose process is gone, let the next one begin."""
    if not folder.is_dir():
        return
    try:
        status_of(folder)
        # The thread that calls this may outlive a change of the home, as it does between tests:
        # what waits in another home is not its to start.
        if folder.parent == runs_folder():
            dispatch()
    except OSError:
        # A disk that is full or gone: what waits stays in the queue for whoever looks next.
        logger.exception("what follows the end of %s failed", folder.name)
