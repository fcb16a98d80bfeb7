"""What the engine writes to: a protocol, and the writer of processes that leave no trace."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self


class Writer(Protocol):
    """A run's folder as the engine writes to it; `RunWriter` is the one that does."""

    folder: Path

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked the run to stop."""
        ...

    def event(self, name: str, **fields: Any) -> None:
        """Record one event."""
        ...

    def status(self, status: str, reason: str = "", **changes: Any) -> None:
        """Replace the status."""
        ...


def first_process() -> bool:
    """Whether this process is the one that writes: torchrun numbers them in `RANK`."""
    return os.environ.get("RANK", "0") == "0"


class NullWriter:
    """A writer that writes nothing: all processes of a run but the first have one."""

    stop_requested = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def event(self, name: str, **fields: Any) -> None:
        """Record nothing."""

    def status(self, status: str, reason: str = "", **changes: Any) -> None:
        """Record nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release nothing."""
