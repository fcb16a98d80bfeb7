"""What a ranking of blocks says: the highest ones, a plan of them, agreement with another one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from qwen_ui.freeze import FreezePlan
from qwen_ui.freeze.layers import format_layers
from qwen_ui.freeze.presets import TOP_BLOCKS
from qwen_ui.rank.scores import Scores


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores of one method on one model and data set.

    Attributes:
        sequences: how many were used.
    """

    model: str
    method: str
    scores: Scores
    sequences: int

    def top(self, count: int = TOP_BLOCKS) -> tuple[int, ...]:
        """Indexes of the highest blocks, the highest first; of equals, the deeper one."""
        blocks = self.scores.blocks
        order = sorted(range(len(blocks)), key=lambda i: (blocks[i], i), reverse=True)
        return tuple(order[:count])

    def over(self, kinds: Collection[str]) -> Ranking:
        """The same with these kinds of parameters alone; see `Scores.over`."""
        return replace(self, scores=self.scores.over(kinds))

    def plan(self, base: FreezePlan, count: int = TOP_BLOCKS) -> FreezePlan:
        """The rules of `base`, on the highest blocks."""
        layers = format_layers(frozenset(self.top(count)), len(self.scores.blocks))
        rules = tuple(rule.model_copy(update={"layers": layers}) for rule in base.rules)
        return FreezePlan(name=f"{base.name.partition(' ')[0]} on {layers}", rules=rules)

    def record(self, count: int = TOP_BLOCKS) -> dict[str, Any]:
        """What the command `rank --json` prints."""
        scores = self.scores
        return {
            "model": self.model,
            "method": self.method,
            "sequences": self.sequences,
            "blocks": [{"index": i, "score": score} for i, score in enumerate(scores.blocks)],
            "top": list(self.top(count)),
            "cells": [
                {"index": block, "kind": kind, "score": score}
                for (block, kind), score in scores.cells.items()
            ],
            "unranked": list(scores.unranked),
            "total": scores.total,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Ranking:
        """The ranking that `record` was made of."""
        cells = {(cell["index"], cell["kind"]): cell["score"] for cell in record["cells"]}
        blocks = tuple(block["score"] for block in record["blocks"])
        scores = Scores(blocks, cells, tuple(record["unranked"]), record["total"])
        return cls(record["model"], record["method"], scores, record["sequences"])


@dataclass(frozen=True, slots=True)
class Words:
    """How a method is explained: what it measures, by which formula, and where it comes from."""

    what: str
    formula: str
    source: str


def words_of(method: Any) -> Words:
    """The explanation in a method's docstring, its line breaks taken out."""
    what, _, rest = " ".join((method.__doc__ or "").split()).partition(" Formula: ")
    formula, _, source = rest.partition(" Source: ")
    assert what, method
    assert formula, method
    assert source, method
    return Words(what, formula, source)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: 1 where two methods order the blocks alike, -1 where one reverses the other.

    Equal scores share the mean of their ranks. 0 where a method tells no block from another.
    """
    a, b = (torch.tensor(_ranks(values), dtype=torch.float64) for values in (first, second))
    a, b = a - a.mean(), b - b.mean()
    scale = float(a.norm() * b.norm())
    return float(a @ b) / scale if scale else 0.0


def agreement(rankings: Sequence[Ranking]) -> list[list[float]]:
    """Rank correlation of every two of them: a symmetric matrix with ones on its diagonal."""
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
