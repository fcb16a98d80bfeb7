"""Runs brought to their end: a stop that is asked for and kept, a kill, the process of a run."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

from qwen_ui.errors import RunError
from qwen_ui.files import locked, read_json
from qwen_ui.runs.folder import queue_lock, run_folder, status_of
from qwen_ui.runs.process import end_tree, lives
from qwen_ui.runs.status import LAUNCHED, recorded_status, write_status
from qwen_ui.runs.writer import SAVING, STOP, run_lock

STOP_PATIENCE_SECONDS = 60.0
# A worker that said that it saves has this much longer: a large delta, a slow evaluation.
SAVING_PATIENCE_SECONDS = 900.0
POLL_SECONDS = 0.2
BY_HAND = "It was killed by hand. Resume goes on from the last checkpoint."


def worker_pid(folder: Path) -> int | None:
    """A living process of this run, None where there is none."""
    return next(iter(_pids(folder)), None)


def stop(run: str, patience: float = STOP_PATIENCE_SECONDS) -> None:
    """Ask a run to save and stop; after `patience` seconds a watchdog ends it.

    Raises:
        RunError: no such run, or it is over.
    """
    folder = run_folder(run)
    if status_of(folder).over:
        raise RunError(f"The run '{run}' is over already ({status_of(folder).status}).")
    with locked(queue_lock()):
        if not (folder / LAUNCHED).is_file() and status_of(folder).status == "queued":
            status = replace(status_of(folder), status="stopped", reason="Stopped before it began.")
            write_status(folder, status)
            return
        (folder / STOP).touch()
    threading.Thread(target=_watch, args=(folder, patience), daemon=True).start()


def kill(run: str) -> None:
    """End a run's process at once, and its children. What was recorded stays.

    Raises:
        RunError: no such run, or none of its processes lives.
    """
    folder = run_folder(run)
    if not _end_all(folder):
        raise RunError(f"The run '{run}' has no process to end.")
    with run_lock(folder, wait=5.0) as held:
        status = status_of(folder)
        if held and status.status == "interrupted":
            write_status(folder, replace(status, reason=BY_HAND))


def patience_of(folder: Path, patience: float = STOP_PATIENCE_SECONDS) -> float:
    """Seconds that a run which was asked to stop may still take, counted from the asking."""
    heard = recorded_status(folder).reason == SAVING
    return patience + (SAVING_PATIENCE_SECONDS if heard else 0.0)


def end_deaf(folder: Path, waited: float) -> None:
    """End a worker that was asked to stop and did not within `waited` seconds."""
    if not _end_all(folder):
        return
    with run_lock(folder, wait=5.0) as held:
        status = status_of(folder)
        if held and status.status == "interrupted":
            reason = f"It did not stop within {waited:.0f} s and was ended."
            write_status(folder, replace(status, status="stopped", reason=reason))


def _pids(folder: Path) -> list[int]:
    """The living processes: the worker, and the launcher of several where that is another one."""
    status, launched = recorded_status(folder), read_json(folder / LAUNCHED)
    pairs = ((status.pid, status.begun), (launched.get("pid"), launched.get("begun")))
    return list(dict.fromkeys(int(pid) for pid, begun in pairs if pid and lives(pid, begun)))


def _end_all(folder: Path) -> bool:
    """End the run's processes and their children; whether there were any."""
    pids = _pids(folder)
    for pid in pids:
        end_tree(pid)
    return bool(pids)


def _watch(folder: Path, patience: float) -> None:
    asked = time.monotonic()
    while worker_pid(folder) is not None:
        waited = time.monotonic() - asked
        if waited >= patience_of(folder, patience):
            end_deaf(folder, waited)
            return
        time.sleep(POLL_SECONDS)
