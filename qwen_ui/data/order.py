"""Which examples a batch has: a function of seed and batch number, so a run resumes anywhere."""

from __future__ import annotations

from functools import lru_cache

import torch

from qwen_ui.data.batches import SORTED_BATCHES, Examples


class Order:
    """An endless sequence of batches, epoch after epoch, each epoch in its own order.

    Args:
        examples: the data.
        batch_size: sequences per batch, over all processes.
        seed: random seed of every epoch's order.
    """

    def __init__(self, examples: Examples, batch_size: int, seed: int) -> None:
        self._examples, self._batch_size, self._seed = examples, batch_size, seed
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)

    def batch(self, number: int) -> tuple[int, ...]:
        """Indexes of the examples in this batch, counted from 0 over the whole run."""
        count = len(self._examples.items)
        first = number * self._batch_size
        places = range(first, first + self._batch_size)
        return tuple(self._epoch(place // count)[place % count] for place in places)

    def epochs(self, batches: int) -> float:
        """Epochs that this many batches come to."""
        return batches * self._batch_size / len(self._examples.items)

    def _make_epoch(self, epoch: int) -> tuple[int, ...]:
        generator = torch.Generator().manual_seed(self._seed + 1_000_003 * epoch)
        count = len(self._examples.items)
        order: list[int] = torch.randperm(count, generator=generator).tolist()
        if self._examples.equally_long:
            return tuple(order)
        return tuple(self._by_length(order, generator))

    def _by_length(self, order: list[int], generator: torch.Generator) -> list[int]:
        """Batches of similar lengths, made within windows and put in a random order."""
        window = self._batch_size * SORTED_BATCHES
        batches: list[list[int]] = []
        for start in range(0, len(order), window):
            part = sorted(order[start : start + window], key=self._length)
            batches += [
                part[i : i + self._batch_size] for i in range(0, len(part), self._batch_size)
            ]
        shuffled = torch.randperm(len(batches), generator=generator).tolist()
        return [index for number in shuffled for index in batches[number]]

    def _length(self, index: int) -> int:
        return len(self._examples.items[index].tokens)
