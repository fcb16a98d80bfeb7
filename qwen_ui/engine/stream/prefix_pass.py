"""One pass of all that a run will read through its frozen blocks, told as it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from qwen_ui.data import Batch, Examples
from qwen_ui.engine.prefix_source import Cache
from qwen_ui.engine.process_group import ProcessGroup
from qwen_ui.engine.stream.levels import Levels, levels_of
from qwen_ui.engine.stream.refusal import unwritable
from qwen_ui.engine.stream.sequences import Indexes, Sequences, portions
from qwen_ui.engine.stream.streamed_cut import StreamedCut
from qwen_ui.errors import SettingsError
from qwen_ui.formats import short_bytes
from qwen_ui.runs import Tell

# Bytes of outputs of one block that are under way together: they are written and read once a
# block, and beyond what the system holds of files each time from the disk. Each portion reads the
# frozen blocks anew.
PORTION_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Reading:
    """Examples whose outputs a run will read.

    Attributes:
        batches: this process's, each of them with an example that those before do not hold.
        cache: where the run reads their outputs.
        training: whether the run computes them in training mode.
    """

    examples: Examples
    batches: Sequence[Indexes]
    cache: Cache
    training: bool

    def row_bytes(self, width: int, dtype: torch.dtype) -> int:
        """Bytes of the outputs of all these examples, each once."""
        indexes = {index for batch in self.batches for index in batch}
        tokens = sum(len(self.examples.items[index].tokens) for index in indexes)
        return tokens * width * dtype.itemsize


class PrefixPass:
    """Takes everything that a run will read through the frozen blocks.

    Args:
        cut: whose blocks they are.
        collate: makes a batch of examples, on the device.
        inputs: arguments of the model's forward for a batch.
        group: the processes that share the sequences.
        tell: told how far it is after every batch.
    """

    def __init__(
        self,
        cut: StreamedCut,
        collate: Callable[[Examples, Indexes], Batch],
        inputs: Callable[[Batch], dict[str, Any]],
        group: ProcessGroup,
        tell: Tell,
    ) -> None:
        self._cut, self._collate, self._inputs, self._group = cut, collate, inputs, group
        self._tell = tell

    def run(self, readings: Sequence[Reading], width: int, dtype: torch.dtype) -> None:
        """Fill the caches of these readings.

        Raises:
            CutError: a block does not give what the run would read.
            SettingsError: the disk is full.
            ModelError: either of it, in another process.
        """
        levels = self._group.together(lambda: self._run(readings, width, dtype))
        # What other processes still read stayed until all were through.
        for level in levels:
            level.clear()

    def _run(self, readings: Sequence[Reading], width: int, dtype: torch.dtype) -> list[Levels]:
        """The levels that the outputs are on."""
        most = max(1, PORTION_BYTES // (width * dtype.itemsize))
        parts = [(r, portions(r.batches, r.examples, most)) for r in readings]
        levels = [levels_of(r.cache, self._cut.depth, keeper=self._keeper) for r in readings]
        count = _Count(sum(len(r.batches) for r in readings) * self._cut.depth, self._tell)
        try:
            for number in range(max((len(portion) for _, portion in parts), default=0)):
                self._cut.stream(
                    [
                        self._sequences(reading, batches[number], on, count)
                        for (reading, batches), on in zip(parts, levels, strict=True)
                        if number < len(batches)
                    ]
                )
        except OSError as error:
            raise unwritable(error) from error
        return levels

    @property
    def _keeper(self) -> bool:
        """Whether this process removes what was left on the way."""
        return self._group.rank == 0

    def _sequences(
        self, reading: Reading, batches: Sequence[Indexes], levels: Levels, count: _Count
    ) -> Sequences:
        made = Sequences(
            batches,
            lambda indexes: self._collate(reading.examples, indexes),
            self._inputs,
            levels,
            training=reading.training,
            told=count.add,
        )
        count.add(len(batches) * self._cut.depth - made.left(self._cut.depth))
        return made


class _Count:
    """Counts passes of a batch through a block."""

    def __init__(self, total: int, tell: Tell) -> None:
        self._total, self._tell = total, tell
        self._done = 0

    def add(self, count: int = 1) -> None:
        """So many are done."""
        self._done += count
        self._tell("prefix", self._done, self._total)


def refuse_beyond_budget(
    readings: Sequence[Reading], width: int, dtype: torch.dtype, budget: int
) -> None:
    """Refuse a run whose outputs do not fit: what is not kept cannot be computed again.

    Raises:
        SettingsError: they do not.
    """
    needed = sum(reading.row_bytes(width, dtype) for reading in readings)
    if needed > budget:
        raise SettingsError(
            f"The outputs of the frozen blocks take {short_bytes(needed)}, more than the "
            f"{short_bytes(budget)} that prefix_budget_bytes allows, and blocks that are read "
            "once from the files cannot be run again. Raise it, or train on fewer or shorter "
            "sequences, or set prefix to keep."
        )
