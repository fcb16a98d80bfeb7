"""Threads that take turns: one works, and the others wait."""

from __future__ import annotations

import threading


class Turns:
    """Whose turn it is; one writes at a time."""

    def __init__(self, count: int) -> None:
        self._changed = threading.Condition()
        self._there = list(range(count))

    def take(self, side: int) -> None:
        """Wait until it is this side's turn."""
        with self._changed:
            self._changed.wait_for(lambda: self._there[0] == side)

    def give(self, side: int) -> None:
        """Let the next side write; this one comes last."""
        self._rotate(side, stays=True)

    def leave(self, side: int) -> None:
        """This side writes no more."""
        self._rotate(side, stays=False)

    @property
    def alone(self) -> bool:
        return len(self._there) == 1

    def _rotate(self, side: int, *, stays: bool) -> None:
        with self._changed:
            self._there.remove(side)
            if stays:
                self._there.append(side)
            self._changed.notify_all()
