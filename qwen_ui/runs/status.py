"""The recorded state of a run: `status.json`, replaced as a whole."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

from qwen_ui.files import read_json, write_json
from qwen_ui.runs.process import free_memory, memory_kills, stamp

FILE_NAME = "status.json"
LAUNCHED = "process.json"
OVER = frozenset({"completed", "stopped", "failed", "interrupted"})


@dataclass(frozen=True, slots=True)
class Status:
    """What a run is doing.

    Attributes:
        status: queued, running, completed, stopped, failed or interrupted.
        reason: one sentence for a person, "" where there is nothing to say.
        pid: process id of the worker; None before it begins.
        begun: the stamp of that process (`process.stamp`).
        step: steps done.
        steps: steps asked for.
        created: seconds since the epoch.
        heartbeat: when the worker last said that it lives, seconds since the epoch.
    """

    status: str = "queued"
    reason: str = ""
    pid: int | None = None
    begun: str | None = None
    step: int = 0
    steps: int = 0
    created: float = 0.0
    heartbeat: float = 0.0

    @property
    def over(self) -> bool:
        return self.status in OVER


def write_status(folder: Path, status: Status) -> None:
    write_json(folder / FILE_NAME, asdict(status))


def recorded_status(folder: Path) -> Status:
    """What the file says, which may be older than the truth; see `current_status`."""
    found = read_json(folder / FILE_NAME)
    if not found:
        return Status(status="interrupted", reason="Its status file is missing or cannot be read.")
    known = {field.name for field in fields(Status)}
    return Status(**{key: value for key, value in found.items() if key in known})


def note_launch(folder: Path, pid: int) -> None:
    """Say which process was started for this run, before it can say so itself."""
    system = {"memory_kills": memory_kills(), "memory_free": free_memory()}
    write_json(folder / LAUNCHED, {"pid": pid, "begun": stamp(pid), **system})
