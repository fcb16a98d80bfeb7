"""SIGTERM, by which Slurm, a service manager or a machine that shuts down ends a process.

It comes at any time, and a step that is broken off leaves a state that nobody can save. So what
must not be broken off holds it, and looks afterwards whether it came.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Terminated(SystemExit):
    """The process was told to end."""


class Termination:
    """Whether this process was told to end, and whether it may be broken off now.

    Attributes:
        asked: SIGTERM has come.
    """

    def __init__(self) -> None:
        self.asked = False
        self._held = False

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Inside, the signal raises `Terminated`, or is remembered where it is held."""
        before = signal.signal(signal.SIGTERM, self._come)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
            self.asked = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """What runs inside is not broken off."""
        with self._set(held=True):
            yield

    @contextmanager
    def released(self) -> Iterator[None]:
        """What runs inside may be broken off, though it is inside of `held`.

        Raises:
            Terminated: the signal has come, or comes.
        """
        with self._set(held=False):
            if self.asked:
                raise Terminated
            yield

    @contextmanager
    def _set(self, *, held: bool) -> Iterator[None]:
        before, self._held = self._held, held
        try:
            yield
        finally:
            self._held = before

    def _come(self, *_: Any) -> None:
        self.asked = True
        if not self._held:
            raise Terminated


# A process has one.
termination = Termination()
