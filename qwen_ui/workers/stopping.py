"""Runs brought to their end: asked to stop, killed where they do not, and their processes found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qwen_ui.errors import RunError
from qwen_ui.files import locked
from qwen_ui.runs import (
    LAUNCHED,
    SAVING,
    STOP,
    is_alive,
    queue_lock,
    recorded_launch,
    recorded_status,
    run_folder,
    run_lock,
    status_of,
    write_status,
)
from qwen_ui.workers.processes import end_tree
from qwen_ui.workers.slurm_runs import end_job, is_placed, withdraw

STOP_TIMEOUT_SECONDS = 60.0
# A worker that acknowledged the stop has this much longer: a large delta, a slow evaluation.
SAVING_TIMEOUT_SECONDS = 900.0
# What was killed lets go of its lock when the system has cleared it away.
LOCK_WAIT_SECONDS = 5.0
KILLED = "It was killed by the user. Resume continues from the last checkpoint."


def processes_of(folder: Path) -> list[tuple[int, str]]:
    """Id and start time of a run's living processes: its worker, and the launcher of several.

    They are of this machine: those of a run that Slurm placed are left to Slurm.
    """
    if is_placed(folder):
        return []
    noted = (recorded_status(folder), recorded_launch(folder))
    # Mostly they are one process, which is looked at once.
    named = ((found.pid, found.begun) for found in noted if found is not None)
    pairs = dict.fromkeys((pid, begun) for pid, begun in named if pid and begun)
    return [pair for pair in pairs if is_alive(*pair)]


def worker_pid(folder: Path) -> int | None:
    """The id of a living process of this run; None where there is none."""
    return next((pid for pid, _ in processes_of(folder)), None)


def stop(run: str) -> None:
    """Ask a run to save and stop.

    A supervisor (of a dashboard, or of a command that waits) kills it where it does not.

    Raises:
        RunError: no such run, it is over, or Slurm does not withdraw it.
    """
    folder = run_folder(run)
    if status_of(folder).over:
        raise RunError(f"The run '{run}' is over already ({status_of(folder).status}).")
    with locked(queue_lock()):
        if is_placed(folder) and status_of(folder).status == "queued":
            withdraw(folder)
            return
        if not (folder / LAUNCHED).is_file() and status_of(folder).status == "queued":
            status = replace(status_of(folder), status="stopped", reason="Stopped before it began.")
            write_status(folder, status)
            return
        (folder / STOP).touch()


def kill(run: str) -> None:
    """Kill a run's processes at once. What was recorded stays.

    Raises:
        RunError: no such run, none of its processes is alive, or Slurm does not do it.
    """
    folder = run_folder(run)
    if is_placed(folder):
        end_job(folder, kill=True)
        return
    if not _end_processes(folder):
        raise RunError(f"The run '{run}' has no process to end.")
    _note_end(folder, "interrupted", KILLED)


def stop_timeout(folder: Path) -> float:
    """Seconds from the request within which a run has to stop."""
    acknowledged = recorded_status(folder).reason == SAVING
    return STOP_TIMEOUT_SECONDS + (SAVING_TIMEOUT_SECONDS if acknowledged else 0.0)


def end_unresponsive(folder: Path, waited: float) -> None:
    """Kill a worker that was asked to stop and did not within `waited` seconds."""
    if is_placed(folder):
        end_job(folder)
    elif _end_processes(folder):
        _note_end(folder, "stopped", f"It did not stop within {waited:.0f} s and was killed.")


def _end_processes(folder: Path) -> bool:
    """Kill the run's processes and their descendants; whether there were any."""
    found = processes_of(folder)
    for pid, _ in found:
        end_tree(pid)
    return bool(found)


def _note_end(folder: Path, status: str, reason: str) -> None:
    """Record how a killed run ended, unless it reached an end of its own before."""
    with run_lock(folder, LOCK_WAIT_SECONDS) as held:
        found = status_of(folder)
        if held and found.status == "interrupted":
            write_status(folder, replace(found, status=status, reason=reason))
