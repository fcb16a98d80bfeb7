"""A ranking of blocks: the highest ones, a plan that trains them, agreement with another one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from statistics import correlation
from typing import Any

from qwen_ui.freeze import TOP_BLOCKS, FreezePlan, format_layers
from qwen_ui.rank.scores import Scores

# Defaults: how many sequences of the data, how many in a batch, tokens in each.
SEQUENCES, BATCH_SIZE, SEQUENCE_LENGTH = 32, 8, 128


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores of one method on one model and data set.

    Attributes:
        sequences: how many sequences of the data were used.
        notes: sentences on how the data were read.
    """

    model: str
    method: str
    scores: Scores
    sequences: int
    notes: tuple[str, ...] = ()

    def top(self, count: int = TOP_BLOCKS) -> tuple[int, ...]:
        """Indexes of the highest-scoring blocks, best first; ties go to the deeper block."""
        blocks = self.scores.blocks
        order = sorted(range(len(blocks)), key=lambda i: (blocks[i], i), reverse=True)
        return tuple(order[:count])

    def of_kinds(self, kinds: Collection[str]) -> Ranking:
        """The ranking restricted to these kinds of parameters; see `Scores.of_kinds`."""
        return replace(self, scores=self.scores.of_kinds(kinds))

    def plan(self, base: FreezePlan, count: int = TOP_BLOCKS) -> FreezePlan:
        """The plan `base` moved to the highest blocks."""
        layers = format_layers(frozenset(self.top(count)), len(self.scores.blocks))
        rules = tuple(rule.model_copy(update={"layers": layers}) for rule in base.rules)
        return FreezePlan(name=f"{base.name.partition(' ')[0]} on {layers}", rules=rules)

    def record(self, count: int = TOP_BLOCKS) -> dict[str, Any]:
        """The ranking as the command `rank --json` prints it."""
        scores = self.scores
        return {
            "model": self.model,
            "method": self.method,
            "sequences": self.sequences,
            "notes": list(self.notes),
            "blocks": [{"index": i, "score": score} for i, score in enumerate(scores.blocks)],
            "top": list(self.top(count)),
            "cells": [
                {"index": block, "kind": kind, "score": score}
                for (block, kind), score in scores.cells.items()
            ],
            "unranked": list(scores.unranked),
            "total": scores.total,
        }

    def _repr_html_(self) -> str:
        """How it shows itself in a notebook."""
        from qwen_ui.rank.notebook import ranking_view  # noqa: PLC0415  loads templates

        return ranking_view(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Ranking:
        """The ranking that this `record` was made from."""
        cells = {(cell["index"], cell["kind"]): cell["score"] for cell in record["cells"]}
        blocks = tuple(block["score"] for block in record["blocks"])
        scores = Scores(blocks, cells, tuple(record["unranked"]), record["total"])
        notes = tuple(record["notes"])
        return cls(record["model"], record["method"], scores, record["sequences"], notes)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's rank correlation: 1 for the same order of blocks, -1 for the reverse order.

    Equal scores share the mean of their ranks. 0 where a method scores all blocks alike.
    """
    if len(set(first)) < 2 or len(set(second)) < 2:
        return 0.0
    return correlation(_ranks(first), _ranks(second))


def agreement(rankings: Sequence[Ranking]) -> list[list[float]]:
    """Rank correlation of every pair: a symmetric matrix with ones on its diagonal."""
    scores = [ranking.scores.blocks for ranking in rankings]
    return [
        [1.0 if i == j else rank_correlation(a, b) for j, b in enumerate(scores)]
        for i, a in enumerate(scores)
    ]


def _ranks(values: Sequence[float]) -> list[float]:
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2
        for value in values
    ]
