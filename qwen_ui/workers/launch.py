"""Start runs, resume them, and follow them to their end.

A worker is a process of its own and its run's folder is all that it shares with us, so any process
may follow a run, whoever started it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from qwen_ui.errors import RunError
from qwen_ui.files import locked
from qwen_ui.runs import (
    LAUNCHED,
    STOP,
    Event,
    RunSpec,
    create_run,
    note_resume,
    note_retry,
    open_folders,
    parse_spec,
    queue_lock,
    read_events,
    read_spec,
    recorded_placement,
    run_folder,
    run_summary,
    status_of,
    write_status,
)
from qwen_ui.visits import admit_runs, current_visit
from qwen_ui.workers.memory_advice import ADVICE
from qwen_ui.workers.queue import dispatch
from qwen_ui.workers.slurm import SlurmRequest
from qwen_ui.workers.slurm_runs import is_placed, request_of, start_on_slurm, submit_again
from qwen_ui.workers.supervisor import POLL_SECONDS, Supervisor


def start(spec: RunSpec | dict[str, Any], slurm: SlurmRequest | None = None) -> str:
    """Make a run of this `RunSpec`, and start it or leave it queued where the device is busy.

    Args:
        spec: the settings.
        slurm: hand it to Slurm instead, with this request.

    Returns:
        The run's name.

    Raises:
        SettingsError, RunError: it cannot be handed to Slurm.
    """
    if slurm is not None:
        settings = spec if isinstance(spec, RunSpec) else parse_spec(spec)
        return start_on_slurm(settings, slurm)
    record = spec.to_dict() if isinstance(spec, RunSpec) else spec
    folder = create_run(record, record.get("plan") or {})
    dispatch()
    return folder.name


def resume(run: str) -> str:
    """Continue a run that ended before its last step, from its last checkpoint.

    Raises:
        RunError: no such run, it is still running, it is completed, or Slurm does not take it.
    """
    folder = run_folder(run)
    # Checked with the lock held: of two that press the button, one is told.
    with locked(queue_lock()):
        status = status_of(folder)
        if status.status == "completed":
            raise RunError(f"The run '{run}' is completed. Start a new one to train further.")
        if not status.over:
            raise RunError(f"The run '{run}' is {status.status} already.")
        admit_runs(1, open_folders() if current_visit() else [])
        note_resume(folder)
        for file in (ADVICE, LAUNCHED, STOP):
            (folder / file).unlink(missing_ok=True)
        if is_placed(folder):
            submit_again(folder)
            return run
        write_status(folder, replace(status, status="queued", reason="", pid=None, begun=None))
    dispatch()
    return run


def retry(run: str, **changes: Any) -> str:
    """Start a new run with the settings of this one, some of them changed, where that one ran.

    Raises:
        RunError: no such run.
        SettingsError: a change is not a value of its setting.
    """
    folder = run_folder(run)
    placement = recorded_placement(folder)
    request = None if placement is None else request_of(placement)
    new = start(read_spec(folder).changed(**changes), request)
    note_retry(run_folder(new), run)
    return new


def retry_at_found_rate(run: str) -> str:
    """Start the learning-rate finder for this run, and after it the run anew with what it found.

    Returns:
        The name of the new run, which waits for the finder.

    Raises:
        RunError: no such run.
    """
    spec = read_spec(run_folder(run))
    finder = start(spec.finder())
    new = start(spec.changed(learning_rate=None, learning_rate_run=finder))
    note_retry(run_folder(new), run)
    return new


def wait(run: str, on_event: Callable[[Event], None] | None = None) -> dict[str, Any]:
    """Follow a run to its end, handing every event to `on_event`; its summary.

    Until then this process supervises all runs of this home, so that the queue moves on.
    """
    folder, offset, supervisor = run_folder(run), 0, Supervisor()
    while True:
        supervisor.round()
        # The status first: what is recorded after an end that we saw cannot be missed.
        over = status_of(folder).over
        events, offset = read_events(folder, offset)
        for event in events:
            if on_event is not None:
                on_event(event)
        if over:
            return run_summary(folder)
        time.sleep(POLL_SECONDS)
