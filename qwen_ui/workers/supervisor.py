"""What a living dashboard sees to: workers that died are marked, what waits begins, stops are kept.

None of it hangs on the dashboard that started a run. One that was started later (after a crash, a
restart of the machine, on another port) does the same for every run that it finds.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from qwen_ui.paths import runs_folder
from qwen_ui.runs.failure import OF_MEMORY
from qwen_ui.runs.folder import open_folders, run_names, status_of
from qwen_ui.runs.process import PACKAGE_PARENT
from qwen_ui.runs.status import Status
from qwen_ui.runs.writer import STOP
from qwen_ui.workers.launch import dispatch
from qwen_ui.workers.memory_advice import ADVICE
from qwen_ui.workers.stopping import end_deaf, patience_of, worker_pid

ROUND_SECONDS = 2.0
logger = logging.getLogger("qwen_ui")


class Supervisor:
    """Looks after the runs of this home; a round costs one look at every folder."""

    def __init__(self) -> None:
        self._asked: dict[str, float] = {}
        self._seen_over: set[str] = set()

    def round(self) -> None:
        """Look at every run that is not over, and once at those that are."""
        for folder in open_folders():
            self._seen_over.discard(folder.name)
            if not status_of(folder).over:
                self._keep_stop(folder)
        for name in set(run_names()) - self._seen_over:
            folder = runs_folder() / name
            if folder.is_dir() and (status := status_of(folder)).over:
                self._seen_over.add(name)
                self._asked.pop(name, None)
                self._explain(folder, status)
        dispatch()

    def start(self) -> None:
        """Go round for as long as this process lives."""
        threading.Thread(target=self._go, name="keeper", daemon=True).start()

    def _go(self) -> None:
        while True:
            try:
                self.round()
            except OSError:
                # A disk that is full or gone for a while: said once a round, tried again.
                logger.exception("looking after the runs failed")
            time.sleep(ROUND_SECONDS)

    def _keep_stop(self, folder: Path) -> None:
        if not (folder / STOP).exists() or worker_pid(folder) is None:
            return
        waited = time.monotonic() - self._asked.setdefault(folder.name, time.monotonic())
        if waited >= patience_of(folder):
            end_deaf(folder, waited)

    def _explain(self, folder: Path, status: Status) -> None:
        """Work out what would have fitted in a process of its own: it needs torch, and seconds."""
        if not status.reason.startswith(OF_MEMORY) or (folder / ADVICE).is_file():
            return
        if not os.access(folder, os.W_OK):
            return
        command = [sys.executable, "-m", "qwen_ui.workers.memory_advice", str(folder)]
        threading.Thread(target=_run, args=(command,), daemon=True).start()


def _run(command: list[str]) -> None:
    with open(os.devnull, "r+b") as nowhere:
        subprocess.run(
            command, cwd=PACKAGE_PARENT, stdin=nowhere, stdout=nowhere, stderr=nowhere, check=False
        )
