"""What a worker writes into its run's folder, and the lock that keeps other workers out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from qwen_ui.errors import RunError
from qwen_ui.files import locked
from qwen_ui.runs.events import EventLog
from qwen_ui.runs.folded import keep_fold
from qwen_ui.runs.placement import claim_run, recorded_claim
from qwen_ui.runs.process import host_name, stamp
from qwen_ui.runs.status import recorded_launch, recorded_status, write_status

HEARTBEAT_SECONDS = 1.0
STOP, LOCK = "stop", ".lock"
SAVING = "It was asked to stop, is saving its state, and then ends."
LOCK_PATIENCE_SECONDS = 5.0
# How long a job that was requeued waits for its former worker, which Slurm kills (KillWait: 30 s).
FORMER_PATIENCE_SECONDS = 40.0
# Space kept while a run goes on, freed so that a full disk can still be recorded.
RESERVE, RESERVE_BYTES = ".reserve", 64 * 1024


def run_lock(folder: Path, wait: float = 0.0) -> AbstractContextManager[bool]:
    """The right to be this run's worker, for whoever gets True; see `qwen_ui.files.locked`."""
    return locked(folder / LOCK, wait=wait)


class Superseded(SystemExit):
    """Another start of the same job has the run: nothing more may be written into its folder."""


class RunWriter:
    """Writes a run's events and status. One worker at a time: a second one is refused.

    Of a job that Slurm starts again, the latest start has the run; see `placement.claim_run`.

    Raises:
        RunError: another worker is at this run.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._held = ExitStack()
        self._claim = claim_run(self.folder)
        self._lock()
        self._log = EventLog(self.folder)
        before = recorded_status(self.folder)
        pid = os.getpid()
        self._status = replace(
            before, status="running", reason="", pid=pid, begun=stamp(pid), host=host_name()
        )
        self._beat = 0.0
        # A stop that was asked for while we started holds; one of an earlier life does not.
        # (Under torchrun the process that was launched is our parent.)
        launched = recorded_launch(self.folder)
        ours = launched is not None and launched.pid in (pid, os.getppid())
        if self._claim is None and not ours:
            (self.folder / STOP).unlink(missing_ok=True)
        (self.folder / RESERVE).write_bytes(bytes(RESERVE_BYTES))
        self.status("running")

    def _lock(self) -> None:
        patience = LOCK_PATIENCE_SECONDS if self._claim is None else FORMER_PATIENCE_SECONDS
        if self._held.enter_context(run_lock(self.folder, patience)):
            return
        if self._claim is not None:
            # The lock of a worker on a node that was lost; it has lost the run to us.
            (self.folder / LOCK).unlink(missing_ok=True)
            if self._held.enter_context(run_lock(self.folder)):
                return
        raise RunError(f"The run '{self.folder.name}' already has a worker. Stop it first.")

    def event(self, name: str, **fields: Any) -> None:
        """Record one event. A `step` is a heartbeat too.

        Raises:
            OSError: the disk is full (an `end` has space kept for it) or cannot be written.
        """
        self._write(lambda: self._log.append(name, **fields), last=name == "end")
        if "step" in fields and name in {"step", "start"}:
            self._status = replace(self._status, step=int(fields["step"]))
            self.heartbeat()
        elif name == "phase":
            self.heartbeat()

    def status(self, status: str, reason: str = "", **changes: Any) -> None:
        """Replace the status; `changes` are other fields of `Status` (step, steps)."""
        self._beat = time.monotonic()
        self._status = replace(
            self._status,
            status=status,
            reason=reason,
            heartbeat=round(time.time(), 3),
            **changes,
        )
        self._write(lambda: write_status(self.folder, self._status), last=self._status.over)

    def heartbeat(self) -> None:
        """Record that the worker is alive; at most one write per second."""
        if time.monotonic() - self._beat >= HEARTBEAT_SECONDS:
            self.status(self._status.status, self._status.reason)

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked the run to stop. That it was heard is said in the status."""
        asked = (self.folder / STOP).exists()
        if asked and self._status.reason != SAVING:
            self.status("running", SAVING)
        return asked

    def _write(self, write: Callable[[], None], *, last: bool) -> None:
        """Write; the last event and status of a run may use the space reserved for them.

        Raises:
            Superseded: the run is another worker's now.
        """
        if self._claim is not None and recorded_claim(self.folder) != self._claim:
            raise Superseded
        try:
            write()
        except OSError:
            if not last or not (self.folder / RESERVE).exists():
                raise
            (self.folder / RESERVE).unlink()
            write()

    def close(self) -> None:
        if self._claim is None or recorded_claim(self.folder) == self._claim:
            (self.folder / RESERVE).unlink(missing_ok=True)
            # Of a job that is requeued a stop still holds.
            if self._claim is None or (self._status.over and self._status.status != "interrupted"):
                (self.folder / STOP).unlink(missing_ok=True)
        self._log.close()
        keep_fold(self.folder)
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
