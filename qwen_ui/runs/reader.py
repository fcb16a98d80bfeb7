"""Readers that keep the fold of a run's events and read only what is new."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qwen_ui.runs.events import log_size, read_events
from qwen_ui.runs.fold import RunFold
from qwen_ui.runs.folded import fold_from

MOST_READERS = 128


class RunReader:
    """The fold of one run's events so far, and the byte that the next of them begins at.

    Attributes:
        folder: of the run.
        fold: of all events up to `offset`.
        derived: what callers made of the fold and want to keep; emptied when an event comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fold = RunFold()
        self.offset = 0
        self.derived: dict[Hashable, Any] = {}

    def read_on(self) -> None:
        """Take in what is new."""
        if self.offset > log_size(self.folder):
            # A log that became shorter is another one.
            self.fold, self.offset = RunFold(), 0
            self.derived.clear()
        if not self.offset:
            self.fold, self.offset = fold_from(self.folder)
            self.derived.clear()
            return
        events, self.offset = read_events(self.folder, self.offset)
        if events:
            self.fold.add_all(events)
            self.derived.clear()


class Readers:
    """The readers of the most recently used runs; safe to use from several threads."""

    def __init__(self, most: int = MOST_READERS) -> None:
        self._most = most
        self._readers: OrderedDict[Path, tuple[RunReader, threading.RLock]] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, folder: Path) -> Iterator[RunReader]:
        """The reader of this run, up to date; no other thread moves it on inside the context."""
        reader, lock = self._find(folder)
        with lock:
            reader.read_on()
            yield reader

    def _find(self, folder: Path) -> tuple[RunReader, threading.RLock]:
        with self._lock:
            if folder not in self._readers:
                self._forget_deleted()
                self._readers[folder] = RunReader(folder), threading.RLock()
            self._readers.move_to_end(folder)
            while len(self._readers) > self._most:
                self._readers.popitem(last=False)
            return self._readers[folder]

    def _forget_deleted(self) -> None:
        for folder in [folder for folder in self._readers if not folder.exists()]:
            del self._readers[folder]


# Whoever polls (comparisons, summaries, curves) shares these.
reading = Readers().reading
