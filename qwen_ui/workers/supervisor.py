"""What runs need while they wait, train and end, done in one round over their folders.

A round depends on no earlier one and on no memory of who started a run: after a crash, or a restart
of the machine, another dashboard does the same for every run that it finds.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qwen_ui.paths import runs_folder
from qwen_ui.runs import OF_MEMORY, STOP, open_folders, run_names, status_of
from qwen_ui.workers.memory_advice import ADVICE
from qwen_ui.workers.processes import reap, start_detached
from qwen_ui.workers.queue import dispatch, is_busy
from qwen_ui.workers.slurm_runs import is_placed, look_at_jobs, settle
from qwen_ui.workers.spawn import spawned
from qwen_ui.workers.stopping import end_unresponsive, processes_of, stop_timeout

ROUND_SECONDS = 2.0
# How soon the end of a run, or a new event of one that is followed, is noticed.
POLL_SECONDS = 0.2
JOBS_SECONDS = 5.0
logger = logging.getLogger("qwen_ui")


class Supervisor:
    """Looks after all runs of this home; one thread at a time may call `round`."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}
        self._seen_over: set[str] = set()
        self._unexplained: deque[Path] = deque()
        self._explaining: subprocess.Popen[bytes] | None = None
        self._busy: list[Path] = []
        self._placed: list[Path] = []
        self._jobs_due = 0.0

    def start(self) -> None:
        """Do rounds in a thread for as long as this process lives."""
        threading.Thread(target=self._supervise, name="supervisor", daemon=True).start()

    def round(self) -> None:
        """Reap ended children, mark the dead, enforce stops, explain, and start what waits.

        Runs that are over are read once. What fails is logged, whatever it is: the other runs and
        the next round go on.
        """
        self._busy, self._placed = [], []
        with _logged():
            reap()
        with _logged():
            self._seen_over -= {folder.name for folder in open_folders()}
            for name in run_names():
                if name not in self._seen_over:
                    with _logged():
                        self._look_after(runs_folder() / name)
        with _logged():
            self._look_at_jobs()
        with _logged():
            self._explain_next()
        with _logged():
            dispatch()

    def _look_after(self, folder: Path) -> None:
        # A run whose process is gone is marked as interrupted here, with the reason.
        status = status_of(folder)
        if status.over:
            self._seen_over.add(folder.name)
            self._asked.pop(folder.name, None)
            explained = (folder / ADVICE).is_file()
            if status.reason.startswith(OF_MEMORY) and not explained and os.access(folder, os.W_OK):
                self._unexplained.append(folder)
            if is_placed(folder):
                settle(folder)
        elif is_placed(folder):
            self._placed.append(folder)
            if status.status == "running":
                self._enforce_stop(folder)
        elif processes_of(folder):
            self._busy.append(folder)
            self._enforce_stop(folder)

    def _enforce_stop(self, folder: Path) -> None:
        if not (folder / STOP).exists():
            # A run that is resumed and asked again has its whole time again.
            self._asked.pop(folder.name, None)
            return
        waited = time.monotonic() - self._asked.setdefault(folder.name, time.monotonic())
        if waited >= stop_timeout(folder):
            end_unresponsive(folder, waited)

    def _look_at_jobs(self) -> None:
        """Ask Slurm, seldom: a cluster's controller has others to answer."""
        if self._placed and time.monotonic() >= self._jobs_due:
            self._jobs_due = time.monotonic() + JOBS_SECONDS
            look_at_jobs(self._placed)

    def _explain_next(self) -> None:
        """Work out what would have fitted in a process of its own: it needs torch, and seconds."""
        if self._explaining is not None and self._explaining.poll() is None:
            return
        self._explaining = None
        if self._unexplained:
            folder = self._unexplained.popleft()
            command = (sys.executable, "-m", "qwen_ui.workers.memory_advice", str(folder))
            self._explaining = start_detached(command)

    def _supervise(self) -> None:
        while True:
            spawned.clear()
            self.round()
            self._rest()

    def _rest(self) -> None:
        """Wait for the next round, which is due at once when a run has started or ended."""
        due = time.monotonic() + ROUND_SECONDS
        while (left := due - time.monotonic()) > 0:
            if spawned.wait(min(left, POLL_SECONDS) if self._busy else left):
                return
            if self._has_ended():
                return

    def _has_ended(self) -> bool:
        with _logged():
            return not all(map(is_busy, self._busy))
        return False


@contextmanager
def _logged() -> Iterator[None]:
    # All of it: this thread is the only one that looks after any run, and a fault in one run's
    # folder must not end it.
    try:
        yield
    except Exception:
        logger.exception("looking after the runs failed")
