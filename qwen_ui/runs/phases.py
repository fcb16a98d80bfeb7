"""What a worker is doing, as events: one phase at a time, and how far it is where that is known."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, Protocol

from qwen_ui.runs.null_writer import Writer

# In the order in which a run comes to them; some come again.
PhaseName = Literal[
    "tokenizing",
    "loading",
    "proving",
    "prefix",
    "before",
    "training",
    "measuring",
    "after",
    "sampling",
    "saving",
]
# How often a phase that goes on is told of: a page that watches asks as often.
TELL_SECONDS = 0.5


class Tell(Protocol):
    """Told what is done now; called as often as there is something to say."""

    def __call__(self, phase: PhaseName, done: int = 0, total: int = 0) -> None:
        """Args:
        phase: what is done now.
        done, total: how far it is, in whatever it counts; 0 of 0 where nothing is counted.
        """


def tell_nobody(phase: PhaseName, done: int = 0, total: int = 0) -> None:
    """For work that nobody watches."""


class Phases:
    """Records phases in a run's events; of one that goes on, at most twice a second.

    Args:
        writer: of the run.
        clock: seconds.

    Attributes:
        beside: seconds that are expected of what is no step, from here to the run's end.
        per_step: seconds that are expected of a step; None while nothing was measured.
    """

    def __init__(self, writer: Writer, clock: Callable[[], float] = time.monotonic) -> None:
        self._writer, self._clock = writer, clock
        self._phase: PhaseName | None = None
        self._told = 0.0
        self.beside = 0.0
        self.per_step: float | None = None

    def __call__(self, phase: PhaseName, done: int = 0, total: int = 0) -> None:
        now = self._clock()
        if phase == self._phase and now - self._told < TELL_SECONDS:
            return
        self._phase, self._told = phase, now
        expected = {} if self.per_step is None else {"per_step": self.per_step}
        self._writer.event(
            "phase", phase=phase, done=done, total=total, beside=self.beside, **expected
        )
