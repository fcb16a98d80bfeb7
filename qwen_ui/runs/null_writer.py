"""The writer of a run's other processes, which record nothing: one process writes for all."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self


def first_process() -> bool:
    """Whether this process is the one that writes: torchrun numbers them in `RANK`."""
    return os.environ.get("RANK", "0") == "0"


class NullWriter:
    """A `RunWriter` that writes nothing."""

    stop_requested = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def event(self, name: str, **fields: Any) -> None:
        """Nothing is written."""

    def status(self, status: str, reason: str = "", **changes: Any) -> None:
        """Nothing is written."""

    def heartbeat(self) -> None:
        """Nothing is written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held."""
