"""The folder of a run: created, found, copied, deleted.

`runs_folder()/<run>/` is complete in itself:

    spec.json  plan.json  environment.json   what was asked for, and with which versions
    events.jsonl                             what happened (`events`)
    status.json                              how it stands (`status`)
    placement.json claim.json                Slurm's word, and which worker has it (`placement`)
    meta.json                                a person's name, tags and note (`annotation`)
    worker.log  delta.safetensors  checkpoints/
    stop                                     there when the worker is asked to stop
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from qwen_ui import visits
from qwen_ui.errors import RunError
from qwen_ui.files import write_json
from qwen_ui.paths import runs_folder
from qwen_ui.runs.current_status import status_of
from qwen_ui.runs.environment import FILE_NAME as ENVIRONMENT
from qwen_ui.runs.environment import environment
from qwen_ui.runs.failure import reason_for
from qwen_ui.runs.placement import Placement, write_placement
from qwen_ui.runs.plan_record import PLAN_NAME
from qwen_ui.runs.spec import SPEC_NAME, flat_settings
from qwen_ui.runs.status import Status, recorded_status, write_status

# A status is replaced as a whole file, which changes its folder's time. Two changes may fall into
# one tick of that clock, so a folder's time counts once it is a second old.
SETTLED_NS = 10**9
_over: dict[Path, int] = {}
# The trained tensors, in a run's folder and wherever they are copied to.
DELTA_NAME = "delta.safetensors"
_RUN = re.compile(r"\d{8}-\d{6}-[a-z0-9.\-]{1,110}")


def create_run(
    spec: dict[str, Any],
    plan: dict[str, Any],
    *,
    placement: Placement | None = None,
    by_hand: str = "",
) -> Path:
    """Create a run's folder, queued; it is complete from the moment that it can be seen.

    Its name sorts by time and says what it is: `20261125-154210-attention-nano-3f9c`.

    Args:
        spec: as `RunSpec.to_dict` gives it.
        plan: the freeze plan, as its dictionary.
        placement: what Slurm is asked for, where it is to place the run.
        by_hand: why nothing starts the run but a person; "": the queue starts it.

    Raises:
        RunError: the disk is full, or nothing can be written there.
        UserError: it is beyond the limits of a public dashboard.
    """
    runs = runs_folder()
    settings = flat_settings(spec)
    if by_hand or placement is not None:
        visits.refuse("Training on a cluster")
    visits.admit_settings(settings)
    visits.admit_runs(1, open_folders() if visits.current_visit() else [])
    words = [str(plan.get("name") or "plan"), Path(str(settings.get("model") or "model")).name]
    slug = "-".join(re.sub(r"[^a-z0-9.]+", "-", word.lower()).strip("-.")[:32] for word in words)
    while True:
        name = f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{secrets.token_hex(2)}"
        if not (runs / name).exists():
            break
    part = runs / f".new-{name}"
    try:
        part.mkdir(parents=True)
        write_json(part / SPEC_NAME, spec)
        write_json(part / PLAN_NAME, plan)
        write_json(part / ENVIRONMENT, environment())
        steps = int(settings.get("steps") or 0)
        begin = Status(steps=steps, created=round(time.time(), 3))
        write_status(part, replace(begin, status="stopped", reason=by_hand) if by_hand else begin)
        visits.own(part)
        if placement is not None:
            write_placement(part, placement)
        os.rename(part, runs / name)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise RunError(f"No run can be made in '{runs}'. {reason_for(error)}") from error
    return runs / name


def queue_lock() -> Path:
    """The file whose lock is held by whoever starts, stops or puts runs back into the queue."""
    runs_folder().mkdir(parents=True, exist_ok=True)
    return runs_folder() / ".queue.lock"


def run_folder(run: str) -> Path:
    """The folder of this run.

    Raises:
        RunError: there is no such run.
    """
    folder = runs_folder() / run
    # A link would lead out of the runs' folder.
    known = _RUN.fullmatch(run) and not folder.is_symlink() and folder.is_dir()
    if not known or not visits.is_own(folder):
        raise RunError(f"There is no run '{run[:150]}'. `qwen-ui runs` lists all runs.")
    return folder


def run_names() -> list[str]:
    """All runs, the newest first. Links and files that are called as runs are none."""
    try:
        with os.scandir(runs_folder()) as entries:
            found = [e.name for e in entries if e.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return sorted(filter(_RUN.fullmatch, found), reverse=True)


def open_folders() -> list[Path]:
    """The runs that are not over, the oldest first; those that are over are read once."""
    found = []
    for name in reversed(run_names()):
        folder = runs_folder() / name
        try:
            changed = folder.stat().st_mtime_ns
        except OSError:
            continue
        if _over.get(folder) == changed:
            continue
        if not recorded_status(folder).over:
            found.append(folder)
        elif time.time_ns() - changed > SETTLED_NS:
            _over[folder] = changed
    return found


def delete_run(run: str) -> None:
    """Remove a run's folder; of a link to one, the link alone.

    Raises:
        RunError: no such run, or its worker lives.
    """
    if (
        _RUN.fullmatch(run)
        and (runs_folder() / run).is_symlink()
        and visits.current_visit() is None
    ):
        (runs_folder() / run).unlink()
        return
    folder = run_folder(run)
    if not status_of(folder).over:
        raise RunError(f"The run '{run}' is not over. Stop it, then delete it.")
    # Renamed first, so that no reader meets half a folder.
    gone = folder.with_name(f".gone-{run}")
    os.rename(folder, gone)
    shutil.rmtree(gone)


def copy_results(folder: Path, target: Path) -> None:
    """Copy a run's results (delta, plan, settings) to another folder."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (DELTA_NAME, PLAN_NAME, SPEC_NAME):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
