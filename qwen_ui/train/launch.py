"""Start, stop, resume and wait for workers. A worker is a process of its own that nobody must feed.

It is started detached, with its output in a file of the run's folder; the folder is all that it
shares with us. Whoever starts, ends or watches a run calls `dispatch`, which starts what waits.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from pydantic import BaseModel

from qwen_ui.errors import RunError
from qwen_ui.paths import runs_folder
from qwen_ui.train.devices import find_devices
from qwen_ui.train.distributed import Launch, launch_command
from qwen_ui.train.events import Event, read_events
from qwen_ui.train.failure import LOG_NAME
from qwen_ui.train.folders import create_run, run_folder, run_names, status_of
from qwen_ui.train.process import lives, locked
from qwen_ui.train.runs import summary
from qwen_ui.train.spec import read_spec
from qwen_ui.train.status import (
    LAUNCHED,
    Status,
    note_launch,
    read_json,
    recorded_status,
    write_status,
)
from qwen_ui.train.writer import RunLock

PACKAGE_PARENT = Path(__file__).resolve().parents[2]
WORKER = "qwen_ui.train.worker"
STOP_PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.2


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
    status = status_of(folder)
    if status.status == "completed":
        raise RunError(f"The run '{run}' is completed. Start a new one to train further.")
    if not status.over:
        raise RunError(f"The run '{run}' is {status.status} already.")
    with locked(_queue_lock()):
        (folder / LAUNCHED).unlink(missing_ok=True)
        (folder / "stop").unlink(missing_ok=True)
        write_status(folder, replace(status, status="queued", reason="", pid=None, begun=None))
    dispatch()
    return run


def retry(run: str, **changes: Any) -> str:
    """A new run with the settings of this one, some of them changed."""
    return start({**read_json(run_folder(run) / "spec.json"), **changes})


def stop(run: str, patience: float = STOP_PATIENCE_SECONDS) -> None:
    """Ask a run to save and stop; after `patience` seconds a watchdog ends it.

    Raises:
        RunError: no such run, or it is over.
    """
    folder = run_folder(run)
    if status_of(folder).over:
        raise RunError(f"The run '{run}' is over already ({status_of(folder).status}).")
    with locked(_queue_lock()):
        if not (folder / LAUNCHED).is_file() and status_of(folder).status == "queued":
            status = replace(status_of(folder), status="stopped", reason="Stopped before it began.")
            write_status(folder, status)
            return
        (folder / "stop").touch()
    threading.Thread(target=_watchdog, args=(folder, patience), daemon=True).start()


def kill(run: str) -> None:
    """End a run's process at once, and its children. What was recorded stays."""
    folder = run_folder(run)
    pid = worker_pid(folder)
    if pid is None:
        raise RunError(f"The run '{run}' has no process to end.")
    _end_tree(pid)
    status = status_of(folder)
    if status.status == "interrupted":
        reason = "It was killed by hand. Resume goes on from the last checkpoint."
        write_status(folder, replace(status, reason=reason))


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
            return summary(folder)
        dispatch()
        time.sleep(POLL_SECONDS)


def worker_pid(folder: Path) -> int | None:
    """The living process of this run, None where there is none."""
    status, launched = recorded_status(folder), read_json(folder / LAUNCHED)
    if lives(status.pid, status.begun):
        return status.pid
    pid = launched.get("pid")
    return int(pid) if pid and lives(pid, launched.get("begun")) else None


def capacity() -> int:
    """How many workers may run at a time (`QWEN_UI_WORKERS`, 1 unless told)."""
    told = os.environ.get("QWEN_UI_WORKERS", "1")
    return max(1, int(told)) if told.isdecimal() else 1


def queued_runs() -> list[str]:
    """Runs that wait for their turn, the next one first."""
    return [name for name, _ in _by_turn() if not (runs_folder() / name / LAUNCHED).is_file()]


def dispatch() -> list[str]:
    """Start what waits, as far as there is room. Several processes may call it at a time."""
    if not any(True for _ in queued_runs()):
        return []
    begun = []
    with locked(_queue_lock()):
        room = capacity() - sum(1 for name in run_names() if _busy(runs_folder() / name))
        for name in queued_runs()[: max(0, room)]:
            _spawn(runs_folder() / name)
            begun.append(name)
    return begun


def _by_turn() -> list[tuple[str, Status]]:
    folders = ((name, runs_folder() / name) for name in reversed(run_names()))
    found = ((name, recorded_status(folder)) for name, folder in folders)
    waiting = [(name, status) for name, status in found if status.status == "queued"]
    return sorted(waiting, key=lambda pair: (pair[1].created, pair[0]))


def _busy(folder: Path) -> bool:
    """Whether this run has a living process (one that is over may still be saving)."""
    return not recorded_status(folder).over and worker_pid(folder) is not None


def _queue_lock() -> Path:
    runs_folder().mkdir(parents=True, exist_ok=True)
    return runs_folder() / ".queue.lock"


def _launch_of(folder: Path) -> Launch:
    """How this run's worker starts: by itself, or several by torchrun."""
    record = read_json(folder / "spec.json")
    if record.get("processes", 1) == 1:
        return Launch((sys.executable, "-m", WORKER, str(folder)), {})
    spec = read_spec(folder / "spec.json")
    return launch_command(spec, folder, device=find_devices(spec.device).kind)


def _spawn(folder: Path) -> None:
    started = _launch_of(folder)
    paths = [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH", "")]
    with (folder / LOG_NAME).open("ab") as log:
        process = subprocess.Popen(
            started.command,
            env={
                **os.environ,
                **started.environment,
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    note_launch(folder, process.pid)
    threading.Thread(target=_reap, args=(process, folder), daemon=True).start()


def _reap(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Take the ended process off the system's table, see to the status, let the next one begin."""
    process.wait()
    if folder.is_dir():
        status_of(folder)
        dispatch()


def _watchdog(folder: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if (pid := worker_pid(folder)) is None:
            return
        time.sleep(POLL_SECONDS)
    if (pid := worker_pid(folder)) is not None:
        _end_tree(pid)
        with RunLock(folder, patience=5.0) as held:
            status = status_of(folder)
            if held and status.status == "interrupted":
                reason = f"It did not stop within {patience:.0f} s and was ended."
                write_status(folder, replace(status, status="stopped", reason=reason))


def _end_tree(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        tree = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in tree:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(tree, timeout=10)
