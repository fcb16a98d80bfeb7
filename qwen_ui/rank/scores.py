"""Scores of blocks, and of the tensors that they follow from."""

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
    """Scores of one method.

    Attributes:
        blocks: one score per block; higher means more important.
        cells: (block, kind) -> score, where the method scores kinds apart.
        unranked: kinds that the method cannot score.
        total: how a block's score follows from its cells: their `norm` (root of the sum of
            squares), `sum` or `mean`, or `relative`: the mean after each was divided by the mean
            of its kind over the blocks, where values of different kinds do not compare.
    """

    blocks: tuple[float, ...]
    cells: Cells
    unranked: tuple[str, ...] = ()
    total: Total = "sum"

    def of_kinds(self, kinds: Collection[str]) -> Scores:
        """Scores of the blocks for a plan that trains these kinds alone.

        A method without cells gives the same scores for all plans.
        """
        chosen = {cell: score for cell, score in self.cells.items() if cell[1] in kinds}
        if not chosen:
            return self
        unranked = tuple(kind for kind in self.unranked if kind in kinds)
        return scores_of(chosen, len(self.blocks), self.total, unranked)


def scores_of(cells: Cells, block_count: int, total: Total, unranked: Sequence[str] = ()) -> Scores:
    """Scores of blocks, made from those of their cells."""
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
