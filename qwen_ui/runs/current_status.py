"""The actual state of a run: its recorded status, checked against the processes alive."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

from qwen_ui.runs.failure import last_words
from qwen_ui.runs.process import is_alive
from qwen_ui.runs.status import Status, recorded_launch, recorded_status, write_status
from qwen_ui.runs.writer import run_lock

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
    if status.over:
        return status
    if status.status == "queued":
        launched = recorded_launch(folder)
        if launched is None or is_alive(launched.pid, launched.begun):
            return status
    elif is_alive(status.pid, status.begun):
        return status
    # It may have ended between our reading of the file and our look at the processes.
    again = recorded_status(folder)
    return again if again.over else replace(again, status="interrupted", reason="")
