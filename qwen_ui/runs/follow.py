"""Runs that are asked about again and again: each is read on from where it was read before."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from qwen_ui.runs.events import Event, log_size, read_events

MOST_FOLLOWED = 256
Fold = TypeVar("Fold")


@dataclass(slots=True)
class _Followed(Generic[Fold]):
    fold: Fold
    offset: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Follower(Generic[Fold]):
    """Keeps what the events of each run come to, and adds what is new when it is asked for.

    Safe to call from several threads. The runs that were asked for last are kept.

    Args:
        add: takes further events into a fold.
    """

    def __init__(self, add: Callable[[Fold, Sequence[Event]], None]) -> None:
        self._add = add
        self._followed: OrderedDict[Hashable, _Followed[Fold]] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def fold(self, folder: Path, make: Callable[[], Fold], key: Hashable = None) -> Iterator[Fold]:
        """The fold of all events so far; no one else changes it inside the context.

        Args:
            folder: of the run.
            make: gives a fold of no events.
            key: tells folds of the same run apart.
        """
        followed = self._find((folder, key), make)
        with followed.lock:
            self._read_on(folder, followed, make)
            yield followed.fold

    def _find(self, key: Hashable, make: Callable[[], Fold]) -> _Followed[Fold]:
        with self._lock:
            followed = self._followed.setdefault(key, _Followed(make()))
            self._followed.move_to_end(key)
            while len(self._followed) > MOST_FOLLOWED:
                self._followed.popitem(last=False)
            return followed

    def _read_on(self, folder: Path, followed: _Followed[Fold], make: Callable[[], Fold]) -> None:
        offset = followed.offset if followed.offset <= log_size(folder) else 0
        events, end = read_events(folder, offset)
        if offset and any(event["event"] == "start" for event in events):
            # A resumed run does steps again that are in the fold already: it is made anew.
            offset = 0
            events, end = read_events(folder)
        if offset == 0:
            followed.fold = make()
        self._add(followed.fold, events)
        followed.offset = end
