"""The recorded state of a run: `status.json`, replaced as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qwen_ui.files import read_object, write_json
from qwen_ui.gpus import Gpu
from qwen_ui.runs.fields import Checks, is_count, is_number, is_text, list_of, wrong_fields
from qwen_ui.runs.process import free_memory, is_alive, memory_kills, stamp

FILE_NAME = "status.json"
LAUNCHED = "process.json"
OVER = frozenset({"completed", "stopped", "failed", "interrupted"})
DAMAGED = "Its status file is missing or cannot be read."
_LARGEST_PID = 2**31 - 1


def _is_pid(value: Any) -> bool:
    return is_count(value) and 0 < value <= _LARGEST_PID


def _is_gpu(value: Any) -> bool:
    keys = UsedGpu.__dataclass_fields__
    return isinstance(value, dict) and all(is_text(value.get(key)) for key in keys)


STATUS_FIELDS: Checks = {
    "status": lambda value: is_text(value) and value in OVER | {"queued", "running"},
    "reason": is_text,
    "pid": _is_pid,
    "begun": is_text,
    "host": is_text,
    "step": is_count,
    "steps": is_count,
    "created": is_number,
    "heartbeat": is_number,
}
LAUNCH_FIELDS: Checks = {
    "pid": _is_pid,
    "begun": is_text,
    "memory_kills": is_count,
    "memory_free": is_number,
    "gpus": list_of(_is_gpu),
}


@dataclass(frozen=True, slots=True)
class Status:
    """What a run is doing.

    Attributes:
        status: queued, running, completed, stopped, failed or interrupted.
        reason: one sentence for a person, "" where there is nothing to say.
        pid: process id of the worker; None before it begins.
        begun: the stamp of that process (`process.stamp`).
        host: the name of the machine that it runs on.
        step: steps done.
        steps: steps asked for.
        created: seconds since the epoch.
        heartbeat: when the worker last said that it lives, seconds since the epoch.
    """

    status: str = "queued"
    reason: str = ""
    pid: int | None = None
    begun: str | None = None
    host: str | None = None
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
    found = read_object(folder / FILE_NAME)
    if not found or wrong_fields(found, STATUS_FIELDS):
        return Status(status="interrupted", reason=DAMAGED)
    return Status(**{key: found[key] for key in STATUS_FIELDS if found.get(key) is not None})


@dataclass(frozen=True, slots=True)
class UsedGpu:
    """A GPU that a run was given: what the driver names it by, and what a person does."""

    uuid: str
    label: str


@dataclass(frozen=True, slots=True)
class Launched:
    """The process that was started for a run, and the memory of the machine at that time.

    Attributes:
        pid, begun: which process; see `process.stamp`.
        memory_kills: processes that the kernel had killed for want of memory since boot.
        memory_free: bytes that were free.
        gpus: those that the run may use; () where it was not given any.
    """

    pid: int | None = None
    begun: str | None = None
    memory_kills: int | None = None
    memory_free: float | None = None
    gpus: tuple[UsedGpu, ...] = ()


def recorded_launch(folder: Path) -> Launched | None:
    """What `note_launch` left; None where it left nothing, empty where the file is damaged."""
    found = read_object(folder / LAUNCHED)
    if found is None:
        return Launched() if (folder / LAUNCHED).exists() else None
    if wrong_fields(found, LAUNCH_FIELDS):
        return Launched()
    given = {key: found.get(key) for key in LAUNCH_FIELDS}
    gpus = tuple(UsedGpu(gpu["uuid"], gpu["label"]) for gpu in given.pop("gpus") or ())
    return Launched(**given, gpus=gpus)


def living_process(folder: Path) -> Launched | None:
    """The process that was noted in this folder; None where none is alive."""
    launched = recorded_launch(folder)
    return launched if launched and is_alive(launched.pid, launched.begun) else None


def note_launch(folder: Path, pid: int, gpus: Sequence[Gpu] = ()) -> None:
    """Say which process was started for this run, and on what, before it can say so itself."""
    used = tuple(UsedGpu(gpu.uuid, gpu.label) for gpu in gpus)
    launched = Launched(pid, stamp(pid), memory_kills(), free_memory(), used)
    write_json(folder / LAUNCHED, asdict(launched))
