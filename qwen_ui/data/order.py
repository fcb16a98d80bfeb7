"""Which examples a step takes: a function of seed and step, so a position is one number."""

from __future__ import annotations

from functools import lru_cache

import torch

from qwen_ui.data.batches import SORTED_BATCHES, Examples


class Order:
    """The endless sequence of examples, epoch after epoch, each in an order of its own.

    Args:
        examples: what is drawn from.
        batch_size: sequences of one batch over all processes together.
        seed: fixes every epoch's order.
    """

    def __init__(self, examples: Examples, batch_size: int, seed: int) -> None:
        self._examples, self._batch_size, self._seed = examples, batch_size, seed
        self._epoch = lru_cache(maxsize=2)(self._make_epoch)

    def batch(self, number: int) -> tuple[int, ...]:
        """Examples of the batch of this number, counted from 0 over the whole run."""
        count = len(self._examples.items)
        first = number * self._batch_size
        places = range(first, first + self._batch_size)
        return tuple(self._epoch(place // count)[place % count] for place in places)

    def epochs(self, batches: int) -> float:
        """How many times all data have been seen after so many batches."""
        return batches * self._batch_size / len(self._examples.items)

    def _make_epoch(self, epoch: int) -> tuple[int, ...]:
        generator = torch.Generator().manual_seed(self._seed + 1_000_003 * epoch)
        count = len(self._examples.items)
        order: list[int] = torch.randperm(count, generator=generator).tolist()
        if self._examples.even:
            return tuple(order)
        return tuple(self._by_length(order, generator))

    def _by_length(self, order: list[int], generator: torch.Generator) -> list[int]:
        """Batches of like lengths, made within windows and put in a random order."""
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
