"""The prefix's outputs for a batch: from the cache where they are, else from the frozen blocks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import torch

from qwen_ui.data import Batch
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.prefix_cache import PrefixCache

# Rows of a matrix product from which on a CPU's results are seen not to depend on their number:
# 5 rows differ from 40 in the last digit, 13 do not (docs/decisions/engine.md).
SAME_KERNELS = 64
logger = logging.getLogger("qwen_ui")


class Cache(Protocol):
    """Where outputs of the prefix are held; `prefix_cache` and `prefix_resident`."""

    def holds(self, index: int) -> bool: ...

    def put(self, batch: Batch, prefix_BTH: torch.Tensor) -> None: ...

    def get(self, batch: Batch) -> torch.Tensor: ...


class PrefixSource:
    """Gives the outputs of a trainee's prefix.

    Args:
        trainee: whose prefix it is.
        cache: where outputs are cached; None caches none.
        all_agree: whether all processes have theirs cached, given that this one does. Where weights
            are sharded, the blocks can only be run by all processes together.
        run: gives the outputs for a batch; None: the trainee's own forward does.
    """

    def __init__(
        self,
        trainee: Trainee,
        cache: Cache | None,
        all_agree: Callable[[bool], bool] = bool,
        run: Callable[[Batch], torch.Tensor] | None = None,
    ) -> None:
        self._trainee, self.cache, self._all_agree = trainee, cache, all_agree
        self._run = run or self._by_the_model
        self._writable = True
        self._reader: ThreadPoolExecutor | None = None
        self._reading: tuple[Batch, Future[torch.Tensor]] | None = None

    def run_by_the_model(self) -> None:
        """Have the trainee's own forward give what is not cached, from here on."""
        self._run = self._by_the_model

    def _by_the_model(self, batch: Batch) -> torch.Tensor:
        return self._trainee.run_prefix(self._trainee.inputs(batch))

    def prepare(self, batch: Batch) -> None:
        """Begin to read what `fetch` will be asked for next, while the device computes."""
        cache = self.cache
        if not isinstance(cache, PrefixCache) or self._trainee.cut is None:
            return
        if all(cache.holds(index) for index in batch.indexes):
            self._reader = self._reader or ThreadPoolExecutor(1, "prefix")
            self._reading = (batch, self._reader.submit(cache.get, batch))

    def fetch(self, batch: Batch) -> torch.Tensor | None:
        """(B, T, H) without a graph; None where the model is not cut."""
        if self._trainee.cut is None:
            return None
        cache = self.cache
        if cache is None:
            self._all_agree(False)
            return self._run(batch)
        absent = [row for row, index in enumerate(batch.indexes) if not cache.holds(index)]
        if self._all_agree(not absent):
            return self._read(cache, batch)
        prefix_BTH = self._complete(cache, batch, absent)
        if self._writable:
            try:
                cache.put(batch, prefix_BTH)
            except OSError as error:
                logger.warning("No more prefix outputs are cached: %s.", error.strerror)
                self._writable = False
        return prefix_BTH

    def _read(self, cache: Cache, batch: Batch) -> torch.Tensor:
        reading, self._reading = self._reading, None
        if reading is not None and reading[0] is batch:
            return reading[1].result()
        return cache.get(batch)

    def _complete(self, cache: Cache, batch: Batch, absent: list[int]) -> torch.Tensor:
        """The outputs for a batch of which only these rows have to be computed."""
        if len(absent) == len(batch.indexes) or not _same_bits_alone(batch, absent):
            return self._run(batch)
        rows = torch.tensor(absent, device=batch.tokens_BT.device)
        inputs = {
            name: value[rows] if torch.is_tensor(value) else value
            for name, value in self._trainee.inputs(batch).items()
        }
        computed = self._trainee.run_prefix(inputs)
        prefix_BTH = cache.get(batch)
        prefix_BTH[rows] = computed.to(prefix_BTH.dtype)
        return prefix_BTH


def _same_bits_alone(batch: Batch, rows: list[int]) -> bool:
    """Whether the blocks give for these rows alone, to the last bit, what they give in the batch.

    So that a run resumed after a kill stays equal to one that was not killed: with masks as before,
    and matrices tall enough for the same kernels.
    """
    tall = len(rows) * batch.tokens_BT.shape[1] >= SAME_KERNELS
    return tall and _masked(batch, rows) == _masked(batch, slice(None))


def _masked(batch: Batch, rows: list[int] | slice) -> bool:
    """Whether these rows need a mask of their own: padding, or several samples in one sequence."""
    if batch.positions_BT is not None:
        return bool((batch.positions_BT[rows, 1:] == 0).any())
    return batch.mask_BT is not None and not bool(batch.mask_BT[rows].all())
