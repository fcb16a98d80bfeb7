"""The sequences of a run on their way through the frozen blocks, in the run's own batches.

The same batches as a model in memory would be given: on a CPU equal shapes give equal bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from qwen_ui.data import Batch, Examples
from qwen_ui.engine.prefix_cut import CutError
from qwen_ui.engine.stream.levels import Levels
from qwen_ui.engine.stream.passengers import BlockRunner

Indexes = tuple[int, ...]


class Sequences:
    """Batches that go from level to level.

    Args:
        batches: the examples of each.
        collate: makes a batch of them, on the device.
        inputs: arguments of the model's forward for a batch.
        levels: where outputs wait.
        training: whether the blocks run in training mode, as they would in the run.
        told: called after each batch.
    """

    def __init__(
        self,
        batches: Sequence[Indexes],
        collate: Callable[[Indexes], Batch],
        inputs: Callable[[Batch], dict[str, Any]],
        levels: Levels,
        *,
        training: bool,
        told: Callable[[], None],
    ) -> None:
        self._collate, self._inputs, self._levels = collate, inputs, levels
        self._training, self._told = training, told
        self._reached = {indexes: levels.reached(indexes) for indexes in batches}

    def left(self, depth: int) -> int:
        """Passes of a batch through a block that are still to come."""
        return sum(depth - level for level in self._reached.values())

    def wants(self, index: int) -> bool:
        return index in self._reached.values()

    def advance(self, index: int, cut: BlockRunner) -> None:
        for indexes, level in self._reached.items():
            if level == index:
                self._run(indexes, index, cut)
                self._reached[indexes] = index + 1
        self._levels.leave(index)

    def _run(self, indexes: Indexes, index: int, cut: BlockRunner) -> None:
        batch = self._collate(indexes)
        before = self._levels.read(index, batch) if index else None
        with torch.no_grad(), cut.training(self._training):
            hidden_BTH = cut.run_block(index, self._inputs(batch), before)
        if not self._levels.takes(hidden_BTH):
            raise CutError(f"block {index} hands on values of another width or dtype than the last")
        self._levels.write(index + 1, batch, hidden_BTH)
        self._told()


def covering(batches: Iterable[Indexes], examples: Examples) -> list[Indexes]:
    """The first of these batches that hold an example for the first time, as long as some do."""
    seen: set[int] = set()
    found = []
    for indexes in batches:
        if len(seen) == len(examples.items):
            break
        if not seen.issuperset(indexes):
            seen.update(indexes)
            found.append(indexes)
    return found


def portions(batches: Sequence[Indexes], examples: Examples, most: int) -> list[list[Indexes]]:
    """Batches in portions of at most so many tokens, each of one batch at least.

    What a portion leaves on a level stays in the system's memory of files until it is read again.
    """
    parts: list[list[Indexes]] = []
    held = most + 1
    for indexes in batches:
        tokens = sum(len(examples.items[index].tokens) for index in indexes)
        if held + tokens > most or not parts:
            parts.append([])
            held = 0
        parts[-1].append(indexes)
        held += tokens
    return parts
