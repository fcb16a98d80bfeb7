"""The next frozen block is read from the files while this one runs.

On a GPU by a thread, into memory of the host that the device copies from at its full speed: one
block more is held there, and none on the device. On a CPU the system is asked to read ahead into
its own memory of files, which it can take back (docs/decisions/engine.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from qwen_ui.model.weights import PiecewiseModel, Stored


class ReadAhead:
    """Gives the weights of frozen blocks, one after the other.

    Args:
        pieces: the model.
        names: of the tensors of each block.
        threaded: whether a thread reads, rather than the system.
    """

    def __init__(
        self, pieces: PiecewiseModel, names: Sequence[tuple[str, ...]], *, threaded: bool
    ) -> None:
        self._pieces, self._names, self._threaded = pieces, names, threaded
        self._reader: ThreadPoolExecutor | None = None
        self._reading: tuple[int, Future[Stored]] | None = None

    @property
    def ahead(self) -> int | None:
        """The block that a thread has read, or is reading."""
        return None if self._reading is None else self._reading[0]

    @contextmanager
    def here(self, index: int) -> Iterator[None]:
        """Inside, this block has its weights, and the next one is being read."""
        read = self._take(index)
        with self._pieces.here(self._names[index], read):
            # From here on only what is read for the next block is held beside this one.
            del read
            if index + 1 < len(self._names):
                self._begin(index + 1)
            yield

    def stop(self) -> None:
        """Let go of what was read and is not asked for."""
        reading, self._reading = self._reading, None
        if reading is not None and not reading[1].cancel():
            reading[1].exception()  # waits; what went wrong shows where it is asked for

    def _take(self, index: int) -> Stored | None:
        if self._reading is None or self.ahead != index:
            self.stop()
            return None
        (_, reading), self._reading = self._reading, None
        return reading.result()

    def _begin(self, index: int) -> None:
        if not self._threaded:
            self._pieces.read_ahead(self._names[index])
            return
        self.stop()
        self._reader = self._reader or ThreadPoolExecutor(1, "blocks")
        self._reading = (index, self._reader.submit(self._pieces.reader(self._names[index])))
