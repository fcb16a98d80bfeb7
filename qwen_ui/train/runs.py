"""The folder of a run: made, written by its worker, found, read, listed.

`runs_folder()/<run>/` is complete in itself:

    spec.json  plan.json  environment.json   what was asked for, and with which versions
    events.jsonl                             what happened (`events`)
    status.json                              how it stands (`status`)
    meta.json                                a person's name, tags and note
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

from qwen_ui.errors import RunError
from qwen_ui.paths import runs_folder
from qwen_ui.train.digest import Digest
from qwen_ui.train.environment import environment
from qwen_ui.train.events import read_events
from qwen_ui.train.failure import last_words
from qwen_ui.train.status import (
    Status,
    read_json,
    recorded_status,
    true_status,
    write_json,
    write_status,
)
from qwen_ui.train.writer import RunLock, RunWriter

__all__ = [
    "RunLock",
    "RunWriter",
    "copy_results",
    "create_run",
    "delete_run",
    "list_runs",
    "read_events",
    "read_json",
    "row",
    "run_folder",
    "run_names",
    "status_of",
    "summary",
]

_RUN = re.compile(r"[a-z0-9][a-z0-9.\-]{0,120}")


def create_run(spec: dict[str, Any], plan: dict[str, Any]) -> Path:
    """A new run's folder, queued, complete from the moment that it can be seen.

    Its name sorts by time and says what it is: `20261125-154210-attention-nano-3f9c`.
    """
    runs = runs_folder()
    runs.mkdir(parents=True, exist_ok=True)
    words = [str(plan.get("name") or "plan"), Path(str(spec.get("model") or "model")).name]
    slug = "-".join(re.sub(r"[^a-z0-9.]+", "-", word.lower()).strip("-.")[:32] for word in words)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{secrets.token_hex(2)}"
    part = runs / f".new-{name}"
    part.mkdir()
    write_json(part / "spec.json", spec)
    write_json(part / "plan.json", plan)
    write_json(part / "environment.json", environment())
    write_status(part, Status(steps=int(spec.get("steps") or 0), created=round(time.time(), 3)))
    os.rename(part, runs / name)
    return runs / name


def run_folder(run: str) -> Path:
    """The folder of this run.

    Raises:
        RunError: there is no such run.
    """
    folder = runs_folder() / run
    if not _RUN.fullmatch(run) or not (folder / "spec.json").is_file():
        raise RunError(
            f"There is no run '{run[:150]}'. `python -m qwen_ui runs` lists what there is."
        )
    return folder


def run_names() -> list[str]:
    """All runs, the newest first."""
    try:
        found = os.listdir(runs_folder())
    except FileNotFoundError:
        return []
    return sorted(filter(_RUN.fullmatch, found), reverse=True)


def status_of(folder: Path) -> Status:
    """The truth about a run. A worker found dead is written down as such, with its last words."""
    status = true_status(folder)
    if status.status != "interrupted" or status.reason:
        return status
    status = replace(status, reason=last_words(folder))
    if recorded_status(folder).status != "interrupted" and os.access(folder, os.W_OK):
        with RunLock(folder) as held:
            # A worker that holds the lock has just begun anew (a resume): it is not dead.
            if held:
                write_status(folder, status)
    return status


def summary(folder: Path) -> dict[str, Any]:
    """A run as the command `train --json` prints it (`DESIGN.md`), from its events."""
    events, _ = read_events(folder)
    status = status_of(folder)
    digest = Digest()
    for event in events:
        digest.add(event)
    delta = folder / "delta.safetensors"
    return {
        "run": folder.name,
        "status": status.status,
        "reason": status.reason,
        "steps": status.steps,
        **digest.record(),
        "delta": str(delta) if delta.is_file() else None,
    }


def row(folder: Path) -> dict[str, Any]:
    """A run as the command `runs --json` lists it."""
    status, digest = status_of(folder), Digest()
    for event in read_events(folder)[0]:
        digest.add(event)
    return {
        "run": folder.name,
        "status": status.status,
        "step": digest.step or status.step,
        "steps": status.steps,
        "loss": digest.loss,
        "reason": status.reason,
    }


def list_runs() -> list[dict[str, Any]]:
    """Every run's row, the newest first."""
    folders = [runs_folder() / name for name in run_names()]
    return [row(folder) for folder in folders if (folder / "spec.json").is_file()]


def delete_run(run: str) -> None:
    """Remove a run's folder.

    Raises:
        RunError: no such run, or its worker lives.
    """
    folder = run_folder(run)
    if not status_of(folder).over:
        raise RunError(f"The run '{run}' is not over. Stop it, then delete it.")
    # Renamed first, so that no reader meets half a folder.
    gone = folder.with_name(f".gone-{run}")
    os.rename(folder, gone)
    shutil.rmtree(gone)


def copy_results(folder: Path, target: Path) -> None:
    """Copy what a run leaves (delta, plan, settings) to a folder of the person's."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ("delta.safetensors", "plan.json", "spec.json"):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, target / name)
