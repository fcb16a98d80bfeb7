"""Work that takes longer than a page should wait: done in a thread, asked after by its key."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from qwen_ui.errors import UserError

MAX_KEPT = 32
Tick = Callable[[int, int], None]
Work = Callable[[Tick], dict[str, Any]]
logger = logging.getLogger("qwen_ui")


class Jobs:
    """Starts each piece of work once and keeps what it gave; one works at a time.

    Safe to call from the threads that gradio runs handlers in. What failed is told once and
    forgotten, so that asking again tries again.
    """

    def __init__(self) -> None:
        self._jobs: OrderedDict[Hashable, _Job] = OrderedDict()
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def ask(self, key: Hashable, work: Work) -> dict[str, Any]:
        """What `work` returned; {"working": {done, total, seconds}} meanwhile, {"problem": ...}
        where it failed. `work` is given a function to tell (done, total)."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = _Job()
                threading.Thread(target=job.run, args=(work, self._turn), daemon=True).start()
                while len(self._jobs) > MAX_KEPT:
                    self._jobs.popitem(last=False)
            told = job.told()
            if "problem" in told:
                del self._jobs[key]
            return told

    def found(self, key: Hashable) -> dict[str, Any] | None:
        """What was returned under this key, None where nothing is there yet."""
        with self._lock:
            job = self._jobs.get(key)
            return job.result if job is not None else None


class _Job:
    def __init__(self) -> None:
        self.result: dict[str, Any] | None = None
        self._begin = time.monotonic()
        self._progress = (0, 0)

    def run(self, work: Work, turn: threading.Lock) -> None:
        with turn:
            try:
                self.result = work(self._tick)
            except UserError as error:
                self.result = {"problem": str(error)}
            except Exception:
                # Whatever it was, the page must not wait for ever.
                logger.exception("work apart failed")
                self.result = {
                    "problem": "This is a fault of ours, not yours. The terminal that runs the "
                    "dashboard shows what happened."
                }

    def told(self) -> dict[str, Any]:
        if self.result is not None:
            return self.result
        done, total = self._progress
        seconds = round(time.monotonic() - self._begin)
        return {"working": {"done": done, "total": total, "seconds": seconds}}

    def _tick(self, done: int, total: int) -> None:
        self._progress = (done, total)
