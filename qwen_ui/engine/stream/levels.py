"""Where the outputs of one frozen block wait for the next: in files, or on the device.

A level is a number of blocks: at level 3 lie the outputs of block 2. In files a level is whole
before the one below it goes, so that a process that is killed loses at most the block it was at;
a damaged row is noticed by its checksum, and counts as absent.
"""

from __future__ import annotations

from typing import Protocol

import torch

from qwen_ui.data import Batch
from qwen_ui.engine.prefix_cache import PrefixCache
from qwen_ui.engine.prefix_resident import ResidentPrefix
from qwen_ui.engine.prefix_source import Cache


class Levels(Protocol):
    """Outputs of blocks for some examples; the last level is what the run reads."""

    def reached(self, indexes: tuple[int, ...]) -> int:
        """The highest level at which all of these examples are."""
        ...

    def read(self, level: int, batch: Batch) -> torch.Tensor:
        """The outputs at this level for a batch (B, T, H), 0 at padding."""
        ...

    def takes(self, hidden_BTH: torch.Tensor) -> bool:
        """Whether these outputs have the width and the dtype of the last level's."""
        ...

    def write(self, level: int, batch: Batch, hidden_BTH: torch.Tensor) -> None:
        """Leave the outputs of a batch at this level."""
        ...

    def leave(self, level: int) -> None:
        """Let go of a level: all of this process's examples are beyond it."""
        ...

    def clear(self) -> None:
        """Let go of all levels but the last."""
        ...


class FileLevels:
    """Levels in files beside the cache of the last one.

    Args:
        last: the cache that the run reads.
        depth: its level.
        keeper: whether this process removes the files of levels that are left.
    """

    def __init__(self, last: PrefixCache, depth: int, *, keeper: bool = True) -> None:
        self._last, self._depth, self._keeper = last, depth, keeper
        found = {level: last.on_the_way(level, new=False) for level in range(1, depth)}
        self._open = {level: cache for level, cache in found.items() if cache is not None}
        self._open[depth] = last

    def reached(self, indexes: tuple[int, ...]) -> int:
        for level in sorted(self._open, reverse=True):
            if all(self._open[level].holds(index) for index in indexes):
                return level
        return 0

    def read(self, level: int, batch: Batch) -> torch.Tensor:
        return self._open[level].get(batch)

    def takes(self, hidden_BTH: torch.Tensor) -> bool:
        return self._last.fits(hidden_BTH)

    def write(self, level: int, batch: Batch, hidden_BTH: torch.Tensor) -> None:
        if level not in self._open:
            made = self._last.on_the_way(level, new=True)
            assert made is not None
            self._open[level] = made
        self._open[level].put(batch, hidden_BTH)

    def leave(self, level: int) -> None:
        left = self._open.pop(level, None)
        if left is not None and self._keeper:
            left.remove()

    def clear(self) -> None:
        for level in range(1, self._depth):
            self._open.pop(level, None)
            found = self._last.on_the_way(level, new=False) if self._keeper else None
            if found is not None:
                found.remove()


class DeviceLevels:
    """Levels on the device that computes, each in the place of the one before.

    Args:
        last: what the run reads, and where every level lies.
    """

    def __init__(self, last: ResidentPrefix) -> None:
        self._last = last

    def reached(self, indexes: tuple[int, ...]) -> int:
        return 0

    def read(self, level: int, batch: Batch) -> torch.Tensor:
        return self._last.get(batch)

    def takes(self, hidden_BTH: torch.Tensor) -> bool:
        return self._last.fits(hidden_BTH)

    def write(self, level: int, batch: Batch, hidden_BTH: torch.Tensor) -> None:
        self._last.put(batch, hidden_BTH)

    def leave(self, level: int) -> None:
        pass

    def clear(self) -> None:
        pass


def levels_of(cache: Cache, depth: int, *, keeper: bool) -> Levels:
    """The levels that end in this cache."""
    if isinstance(cache, ResidentPrefix):
        return DeviceLevels(cache)
    assert isinstance(cache, PrefixCache), type(cache)
    return FileLevels(cache, depth, keeper=keeper)
