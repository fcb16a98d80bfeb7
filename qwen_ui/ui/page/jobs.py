"""Work that takes longer than a page should wait: done in a thread, asked after by its key."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextvars import copy_context
from functools import partial
from typing import Any

MAX_KEPT = 32
Tick = Callable[[int, int], None]
Work = Callable[[Tick], dict[str, Any]]


class Jobs:
    """Starts each piece of work once and keeps what it gave; one works at a time.

    Safe to call from the threads that gradio runs handlers in.
    """

    def __init__(self) -> None:
        self._jobs: OrderedDict[Hashable, _Job] = OrderedDict()
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def ask(self, key: Hashable, work: Work) -> dict[str, Any]:
        """What `work` returned; {"working": {done, total, seconds}} meanwhile.

        `work` is given a function to report (done, total) to. What it raised is raised here, once:
        asking again tries again.
        """
        with self._lock:
            job = self._jobs.get(key)
            if job is None:
                job = self._jobs[key] = _Job()
                # The work asks as whoever asked for it.
                asked = partial(copy_context().run, job.run, work, self._turn)
                threading.Thread(target=asked, daemon=True).start()
                while len(self._jobs) > MAX_KEPT:
                    self._jobs.popitem(last=False)
            if job.error is not None:
                del self._jobs[key]
                raise job.error
            return job.result if job.result is not None else job.progress()

    def found(self, key: Hashable) -> dict[str, Any] | None:
        """What was returned under this key, None where nothing is there yet."""
        with self._lock:
            job = self._jobs.get(key)
            return job.result if job is not None else None


class _Job:
    def __init__(self) -> None:
        self.result: dict[str, Any] | None = None
        self.error: Exception | None = None
        self._begin = time.monotonic()
        self._progress = (0, 0)

    def run(self, work: Work, turn: threading.Lock) -> None:
        with turn:
            try:
                self.result = work(self._tick)
            except Exception as error:
                # Whatever it was, the page must not wait for ever: whoever asks next gets it.
                self.error = error

    def progress(self) -> dict[str, Any]:
        done, total = self._progress
        seconds = round(time.monotonic() - self._begin)
        return {"working": {"done": done, "total": total, "seconds": seconds}}

    def _tick(self, done: int, total: int) -> None:
        self._progress = (done, total)
