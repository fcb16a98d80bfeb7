"""What every measure of importance gives: a score for each block, and for each tensor it knows."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

Cells = dict[tuple[int, str], float]
Progress = Callable[[int, int], None]
Total = Literal["norm", "sum", "mean", "relative"]


def ignore_progress(done: int, total: int) -> None:
    """The progress callback of whoever does not ask for progress."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What one method says.

    Attributes:
        blocks: a score for every block, higher for what matters more.
        cells: (block, kind) -> score, where the method knows kinds.
        unranked: kinds that the method cannot rank.
        total: how a block's score follows from its cells: their `norm` (root of the sum of
            squares), `sum` or `mean`, or `relative`: the mean after each was divided by the mean
            of its kind over the blocks, where values of different kinds do not compare.
    """

    blocks: tuple[float, ...]
    cells: Cells
    unranked: tuple[str, ...] = ()
    total: Total = "sum"

    def of_kinds(self, kinds: Collection[str]) -> Scores:
        """The same with these kinds alone: how much the blocks matter to a plan that trains them.

        A method that knows no kinds says the same of all plans.
        """
        chosen = {cell: score for cell, score in self.cells.items() if cell[1] in kinds}
        if not chosen:
            return self
        unranked = tuple(kind for kind in self.unranked if kind in kinds)
        return scores_of(chosen, len(self.blocks), self.total, unranked)


def scores_of(cells: Cells, block_count: int, total: Total, unranked: Sequence[str] = ()) -> Scores:
    """Scores of blocks from those of their cells."""
    shares = _relative_to_kind(cells) if total == "relative" else cells
    parts: list[list[float]] = [[] for _ in range(block_count)]
    for (block, _), value in shares.items():
        parts[block].append(value)
    return Scores(tuple(_total(part, total) for part in parts), cells, tuple(unranked), total)


def _total(values: Sequence[float], total: Total) -> float:
    if total == "norm":
        return math.sqrt(sum(value * value for value in values))
    if total == "sum":
        return sum(values)
    return sum(values) / len(values) if values else 0.0


def _relative_to_kind(cells: Cells) -> Cells:
    by_kind: dict[str, list[float]] = defaultdict(list)
    for (_, kind), value in cells.items():
        by_kind[kind].append(value)
    means = {kind: sum(values) / len(values) for kind, values in by_kind.items()}
    return {(b, k): value / means[k] if means[k] else 0.0 for (b, k), value in cells.items()}
