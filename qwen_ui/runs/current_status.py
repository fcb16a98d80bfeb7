"""The actual state of a run: its recorded status, checked against the processes alive."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace
from pathlib import Path

from qwen_ui.runs.failure import last_words
from qwen_ui.runs.placement import Placement, placed_status, recorded_claim, recorded_placement
from qwen_ui.runs.process import is_alive, is_of_another_machine
from qwen_ui.runs.status import Status, recorded_launch, recorded_status, write_status
from qwen_ui.runs.writer import run_lock

SILENT_SECONDS = 900.0
logger = logging.getLogger("qwen_ui")


def status_of(folder: Path) -> Status:
    """The actual status of a run; a worker found dead is recorded as interrupted, and why."""
    status = _true_status(folder)
    if status.status != "interrupted" or status.reason:
        return status
    status = replace(status, reason=last_words(folder))
    if recorded_status(folder).status != "interrupted" and os.access(folder, os.W_OK):
        with run_lock(folder) as held:
            # A worker that holds the lock has just begun anew (a resume): it is not dead.
            if held:
                _record(folder, status)
    return status


def _record(folder: Path, status: Status) -> None:
    """Record what was found; where the disk is full, it is reported all the same."""
    try:
        write_status(folder, status)
    except OSError:
        logger.warning("the status of %s could not be written", folder.name)


def _true_status(folder: Path) -> Status:
    """The status after a look at the processes: a worker that is gone is not running.

    `queued` without a process waits for its turn; `queued` with a process that is gone never began.
    """
    status = recorded_status(folder)
    if status.over and status.status != "interrupted":
        return status
    placement = recorded_placement(folder)
    if placement is not None:
        return _of_slurm(folder, placement)
    if status.over:
        return status
    if status.status == "queued":
        launched = recorded_launch(folder)
        if launched is None or is_alive(launched.pid, launched.begun):
            return status
    elif is_alive(status.pid, status.begun) or _lives_elsewhere(status):
        return status
    # It may have ended between our reading of the file and our look at the processes.
    again = recorded_status(folder)
    return again if again.over else replace(again, status="interrupted", reason="")


def _lives_elsewhere(status: Status) -> bool:
    """Whether a machine that shares our disk runs it: its processes are not in our table.

    Only steps and evaluations beat, and they may be long.
    """
    silent = time.time() - status.heartbeat
    return silent < SILENT_SECONDS and is_of_another_machine(status.host, status.begun)


def _of_slurm(folder: Path, placement: Placement) -> Status:
    # What the worker recorded is read last: its end comes before that of its job.
    return placed_status(recorded_status(folder), placement, recorded_claim(folder))
