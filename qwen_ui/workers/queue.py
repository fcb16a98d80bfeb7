"""The queue: runs that wait for a device, started in their order as far as there is room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qwen_ui.errors import UserError
from qwen_ui.files import locked
from qwen_ui.paths import runs_folder
from qwen_ui.runs import (
    LAUNCHED,
    Status,
    open_folders,
    queue_lock,
    reason_for,
    recorded_settings,
    recorded_status,
    status_of,
    write_status,
)
from qwen_ui.workers.slots import Slots, wants_gpus
from qwen_ui.workers.slurm_runs import is_placed
from qwen_ui.workers.spawn import spawn
from qwen_ui.workers.stopping import worker_pid


def queued_runs() -> list[str]:
    """The names of the runs that wait for their turn, the next one first."""
    recorded = ((folder.name, recorded_status(folder)) for folder in open_folders())
    waiting = [(name, status) for name, status in recorded if _waits(name, status)]
    return [name for name, _ in sorted(waiting, key=lambda pair: (pair[1].created, pair[0]))]


def queue_position(run: str) -> tuple[list[str], list[str]]:
    """The runs that have what this one waits for (GPUs, or the machine), and those before it."""
    kind = wants_gpus(runs_folder() / run)
    waiting = [name for name in queued_runs() if wants_gpus(runs_folder() / name) == kind]
    ahead = waiting[: waiting.index(run)] if run in waiting else []
    busy = (folder for folder in open_folders() if is_busy(folder))
    return [folder.name for folder in busy if wants_gpus(folder) == kind], ahead


def dispatch() -> list[str]:
    """Start waiting runs as far as there is room. Several processes may call it at the same time.

    One that cannot be started holds up none behind it: it fails where a person has to mend it, and
    waits on where the machine has (a full disk).

    Returns:
        The names of the runs that were started.

    Raises:
        OSError: why the first that waits on could not be started.
    """
    if not queued_runs():
        return []
    started: list[str] = []
    refused: list[OSError] = []
    with locked(queue_lock()):
        slots = Slots(folder for folder in open_folders() if is_busy(folder))
        for name in queued_runs():
            if _awaits_rate(runs_folder() / name):
                continue
            try:
                if _started(runs_folder() / name, slots):
                    started.append(name)
            except OSError as error:
                refused.append(error)
    if refused:
        raise refused[0]
    return started


def _started(folder: Path, slots: Slots) -> bool:
    try:
        gpus = slots.take(folder)
        if gpus is None:
            return False
        try:
            spawn(folder, gpus)
        except BaseException:
            slots.give_back(gpus)
            raise
    except UserError as error:
        status = replace(recorded_status(folder), status="failed", reason=reason_for(error))
        write_status(folder, status)
        return False
    return True


def _waits(name: str, status: Status) -> bool:
    folder = runs_folder() / name
    if status.status != "queued" or (folder / LAUNCHED).is_file():
        return False
    return not is_placed(folder)


def _awaits_rate(folder: Path) -> bool:
    """Whether this run takes the rate that another run has yet to find."""
    finder = recorded_settings(folder).get("learning_rate_run")
    if finder is None or recorded_settings(folder).get("learning_rate") is not None:
        return False
    found = runs_folder() / str(finder)
    return found.is_dir() and not status_of(found).over


def is_busy(folder: Path) -> bool:
    """Whether this run holds its device: it has a process, and has not recorded its end.

    The process of a run that is over takes a second more to exit, while the next one imports.
    """
    return not recorded_status(folder).over and worker_pid(folder) is not None
