"""Runs as the rest of the project sees them: made, written, read, summed up, listed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from qwen_ui.paths import runs_folder
from qwen_ui.runs.events import read_events
from qwen_ui.runs.fold import Digest
from qwen_ui.runs.folder import (
    copy_results,
    create_run,
    delete_run,
    run_folder,
    run_names,
    status_of,
)
from qwen_ui.runs.follow import Follower
from qwen_ui.runs.index import glances
from qwen_ui.runs.writer import RunWriter, run_lock

__all__ = [
    "RunWriter",
    "copy_results",
    "create_run",
    "delete_run",
    "followed_digest",
    "list_runs",
    "read_events",
    "run_folder",
    "run_lock",
    "run_names",
    "run_row",
    "run_summary",
    "status_of",
]


_digests = Follower(Digest.add_all)


def followed_digest(folder: Path) -> AbstractContextManager[Digest]:
    """A run's events folded, kept up to date from call to call; see `Follower.fold`."""
    return _digests.fold(folder, Digest)


def run_summary(folder: Path) -> dict[str, Any]:
    """A run as the command `train --json` prints it, from its events."""
    # The status first: when it says that the run is over, all of its events are there to be read.
    status = status_of(folder)
    delta = folder / "delta.safetensors"
    with followed_digest(folder) as digest:
        return {
            "run": folder.name,
            "status": status.status,
            "reason": status.reason,
            "mistake": bool(digest.end.get("mistake")),
            "steps": status.steps,
            **digest.record(),
            "delta": str(delta) if delta.is_file() else None,
        }


def run_row(folder: Path) -> dict[str, Any]:
    """A run as the command `runs --json` lists it."""
    return next(found for found in list_runs() if found["run"] == folder.name)


def list_runs() -> list[dict[str, Any]]:
    """Every run as the command `runs --json` lists it, the newest first."""
    keys = ("run", "status", "step", "steps", "loss", "reason")
    return [{key: glance[key] for key in keys} for glance in glances(runs_folder())]
