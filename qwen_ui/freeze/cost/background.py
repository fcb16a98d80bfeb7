"""Work that nobody waits for: one thread does it, piece after piece, until the process ends."""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable
from functools import cache

Work = Callable[[], None]
_ending = threading.Event()


class EndingError(Exception):
    """The process is about to end: what is left need not be done."""


def in_background(work: Work) -> None:
    """Have it done some time; it must not raise."""
    _queue().put(work)


def go_on() -> None:
    """Called between the parts of a long piece of work.

    Raises:
        EndingError: it is to stop here.
    """
    if _ending.is_set():
        raise EndingError


def wait_for_background(seconds: float) -> bool:
    """Whether all that was asked for before is done within so many seconds."""
    done = threading.Event()
    in_background(done.set)
    return done.wait(seconds)


@cache
def _queue() -> queue.SimpleQueue[Work]:
    waiting: queue.SimpleQueue[Work] = queue.SimpleQueue()
    # A daemon, or the interpreter would wait for it before it calls `end`.
    thread = threading.Thread(target=_work, args=(waiting,), name="background", daemon=True)
    thread.start()

    def end() -> None:
        """A thread inside of torch while the interpreter goes away aborts the process."""
        _ending.set()
        waiting.put(lambda: None)
        thread.join()

    atexit.register(end)
    return waiting


def _work(waiting: queue.SimpleQueue[Work]) -> None:
    while not _ending.is_set():
        waiting.get()()
