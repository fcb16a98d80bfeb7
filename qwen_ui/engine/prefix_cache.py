"""The outputs of the frozen blocks, cached in a file that later epochs and later runs read.

One memory-mapped file per key under `QWEN_UI_HOME/prefixes`; the system holds the part in use in
memory. The key names weights, tokens, length, dtype, depth and versions, so that a stale file is
never read. Each sequence has a checksum, compared when a process first reads it: what a crash of
the machine has damaged is computed again, never trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from qwen_ui.data import Batch, Examples
from qwen_ui.paths import home

DATA_SUFFIX, SUMS_SUFFIX = ".kept", ".sums"
_ABSENT = 0


@dataclass(frozen=True, slots=True)
class PrefixKey:
    """Everything that cached outputs depend on.

    Attributes:
        weights: fingerprint of the model's weights.
        configuration: of the model, as JSON: equal weights compute other things by another.
        tokens: fingerprint of the examples.
        depth: number of blocks of the prefix.
        dtype: of the cached tensor.
        device: its type: other devices round otherwise.
        versions: of torch and transformers.
    """

    weights: str
    configuration: str
    tokens: str
    depth: int
    dtype: str
    device: str
    versions: str

    def on_the_way(self, depth: int) -> PrefixKey:
        """Of what a run that reads the frozen blocks one by one leaves after fewer of them."""
        return replace(self, depth=depth, versions=f"{self.versions} on the way")

    @property
    def name(self) -> str:
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()[:32]


class PrefixCache:
    """Outputs of the prefix, one row of (tokens, H) per example, within a budget.

    Examples beyond the budget are never cached: `holds` is always False for them.

    Args:
        key: names the file.
        examples: whose outputs are cached.
        width: H, the hidden size.
        dtype: of the outputs.
        budget: bytes on disk of this file.
        total: bytes on disk of the files of all keys together; None for `budget`.
    """

    def __init__(
        self,
        key: PrefixKey,
        examples: Examples,
        width: int,
        dtype: torch.dtype,
        budget: int,
        total: int | None = None,
    ) -> None:
        lengths = np.array([len(example.tokens) for example in examples.items], dtype=np.int64)
        ends = np.cumsum(lengths)
        self._row_bytes = width * dtype.itemsize
        self.capacity = int(np.searchsorted(ends * self._row_bytes, budget, side="right"))
        self._width, self._dtype = width, dtype
        self._starts, self._lengths = ends - lengths, lengths
        self._verified: set[int] = set()
        self.key, self.examples = key, examples
        if self.capacity:
            self._open(key, self.bytes, budget if total is None else total)

    def on_the_way(self, depth: int, *, new: bool) -> PrefixCache | None:
        """The cache of the outputs after fewer blocks, which lasts until the next one has run.

        Args:
            new: whether to make one where there is none; else None is the answer.
        """
        key = self.key.on_the_way(depth)
        if not new and not self._stem(key).with_suffix(DATA_SUFFIX).exists():
            return None
        # Beside everything else: what is cached for good does not make room for it.
        most = max(self.bytes, 1)
        return PrefixCache(key, self.examples, self._width, self._dtype, most, total=2**62)

    def fits(self, prefix_BTH: torch.Tensor) -> bool:
        """Whether these outputs are of the width and dtype that are cached."""
        return prefix_BTH.shape[-1] == self._width and prefix_BTH.dtype == self._dtype

    def row_bytes(self, index: int) -> int:
        """Bytes of an example's output."""
        return int(self._lengths[index]) * self._row_bytes

    def remove(self) -> None:
        """Remove the files."""
        for suffix in (SUMS_SUFFIX, DATA_SUFFIX):
            self._stem(self.key).with_suffix(suffix).unlink(missing_ok=True)

    @property
    def bytes(self) -> int:
        """Maximum size of the file."""
        if not self.capacity:
            return 0
        last = self.capacity - 1
        return int(self._starts[last] + self._lengths[last]) * self._row_bytes

    def _stem(self, key: PrefixKey) -> Path:
        """The files without their endings."""
        # The capacity is part of the name: files of two budgets are not of one size.
        return home() / "prefixes" / f"{key.name}-{self.capacity}"

    def _open(self, key: PrefixKey, size: int, total: int) -> None:
        stem = self._stem(key)
        stem.parent.mkdir(parents=True, exist_ok=True)
        make_room(stem.parent, stem.name, total - size)
        self._data = _File(stem.with_suffix(DATA_SUFFIX), size, np.uint8)
        self._sums = _File(stem.with_suffix(SUMS_SUFFIX), self.capacity * 8, np.uint64)

    def holds(self, index: int) -> bool:
        """Whether this example's output is cached and undamaged."""
        if index in self._verified:
            return True
        if index >= self.capacity or self._sums.values[index] == _ABSENT:
            return False
        if self._sums.values[index] != _checksum(self._row(index)):
            return False
        self._verified.add(index)
        return True

    def put(self, batch: Batch, prefix_BTH: torch.Tensor) -> None:
        """Cache the rows of a batch that are not cached yet.

        Raises:
            OSError: the disk is full. What was cached before stays good.
        """
        on_cpu = prefix_BTH.to("cpu", self._dtype)
        for row, index in enumerate(batch.indexes):
            if index < self.capacity and not self.holds(index):
                values = on_cpu[row, : self._lengths[index]].contiguous()
                data = values.view(torch.uint8).view(-1).numpy()
                self._data.write(int(self._starts[index]) * self._row_bytes, data)
                self._sums.write(index * 8, np.array([_checksum(data)], dtype=np.uint64))
                self._verified.add(index)

    def get(self, batch: Batch) -> torch.Tensor:
        """The outputs for a batch (B, T, H), 0 at padding and where an example is not cached."""
        (B, T), device = batch.tokens_BT.shape, batch.tokens_BT.device
        on_gpu = device.type == "cuda"
        # Copied without waiting, which takes memory that the system does not move.
        prefix_BTH = torch.zeros((B, T, self._width), dtype=self._dtype, pin_memory=on_gpu)
        for row, index in enumerate(batch.indexes):
            if not self.holds(index):
                continue
            values = torch.from_numpy(self._row(index)).view(self._dtype)
            prefix_BTH[row, : self._lengths[index]] = values.view(-1, self._width)
        return prefix_BTH.to(device, non_blocking=on_gpu)

    def _row(self, index: int) -> Any:
        start = int(self._starts[index]) * self._row_bytes
        return self._data.values[start : start + int(self._lengths[index]) * self._row_bytes]


class _File:
    """A file of a fixed size, read through a memory map and written by calls that can fail.

    A write through the map would end the process where the disk is full (SIGBUS).
    """

    _handle = -1

    def __init__(self, path: Path, size: int, kind: Any) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if os.fstat(self._handle).st_size != size:
            os.ftruncate(self._handle, size)
        os.utime(path)
        # Writable for torch's sake; nothing is ever written through it.
        self.values = np.memmap(path, dtype=kind, mode="r+")

    def write(self, offset: int, data: Any) -> None:
        view = memoryview(data).cast("B")
        while view:
            written = os.pwrite(self._handle, view, offset)
            view, offset = view[written:], offset + written

    def __del__(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)


def make_room(folder: Path, keep: str, room: int) -> None:
    """Remove the least recently used files, until those other than `keep` fit into `room` bytes."""
    others = [file for file in folder.glob(f"*{DATA_SUFFIX}") if file.stem != keep]
    others.sort(key=lambda file: file.stat().st_mtime, reverse=True)
    for file in others:
        room -= file.stat().st_blocks * 512
        if room < 0:
            file.with_suffix(SUMS_SUFFIX).unlink(missing_ok=True)
            file.unlink(missing_ok=True)


def _checksum(data: Any) -> int:
    """Never `_ABSENT`."""
    return (1 << 32) | zlib.crc32(data)
