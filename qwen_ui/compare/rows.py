"""The runs of a comparison as one row per plan, and the rows that no smaller plan beats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean, stdev
from typing import Any

_FIGURES = (
    *("trainable_parameters", "total_parameters", "learning_rate", "tokens_per_second"),
    *("eval_loss_before", "eval_loss_after"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One plan over all seeds: means, and the spread where there are several.

    Attributes:
        losses: evaluation loss after training (nats per token) of each seed.
        run_of: name of the completed run of each seed.
        trainable, share: elements that train, and their part of all.
        before, after: evaluation losses (nats per token).
        spread: sample standard deviation of `after` over the seeds; 0 for one seed.
        seconds: of training, evaluation and starting aside.
        rate_seconds: of finding the learning rate that all seeds share; 0 where none was found.
        peak_bytes, delta_bytes: of memory, and of the file of trained tensors.
        rate_source: where the learning rate comes from.
        held_out: the sets of samples that the runs are judged by; one, unless runs differ in it.
    """

    plan: str
    runs: int
    trainable: int
    share: float
    learning_rate: float
    before: float
    after: float
    spread: float
    seconds: float
    tokens_per_second: float
    peak_bytes: int
    delta_bytes: int
    rate_seconds: float = 0.0
    rate_source: str = "given"
    held_out: frozenset[str] = frozenset()
    losses: dict[int, float] = field(default_factory=dict)
    run_of: dict[int, str] = field(default_factory=dict)

    @property
    def perplexity(self) -> float:
        """Of the evaluation loss after training."""
        return math.exp(min(self.after, 700.0))

    @property
    def gain(self) -> float:
        """Nats by which the evaluation loss fell."""
        return self.before - self.after

    @property
    def gain_per_million(self) -> float:
        """Nats gained per million trainable parameters."""
        return self.gain / self.trainable * 1e6

    @property
    def gain_per_second(self) -> float:
        """Nats gained per second of training."""
        return self.gain / self.seconds if self.seconds else 0.0


def rows_of(results: Sequence[dict[str, Any]]) -> list[Row]:
    """One row per plan that has a completed run, in the order of the plans."""
    rows = []
    for plan in dict.fromkeys(result["plan"] for result in results):
        done = [r for r in results if r["plan"] == plan and _is_measured(r)]
        if done:
            rows.append(_row(plan, done))
    return rows


def _is_measured(result: dict[str, Any]) -> bool:
    """Whether a run is completed, and its log (which may be damaged) still has its figures."""
    return result["status"] == "completed" and all(result.get(key) for key in _FIGURES)


def row_records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as JSON: their fields, what follows from them, and whether they are on the front."""
    front = {row.plan for row in pareto(rows)}
    derived = ("perplexity", "gain", "gain_per_million", "gain_per_second")
    return [
        {
            **asdict(row),
            **{key: getattr(row, key) for key in derived},
            "front": row.plan in front,
            "held_out": sorted(row.held_out),
            # A key in JSON is a text.
            "losses": {str(seed): loss for seed, loss in row.losses.items()},
            "run_of": {str(seed): run for seed, run in row.run_of.items()},
        }
        for row in rows
    ]


def _row(plan: str, done: Sequence[dict[str, Any]]) -> Row:
    after = [float(r["eval_loss_after"]) for r in done]
    first = done[0]
    return Row(
        plan=plan,
        runs=len(done),
        trainable=first["trainable_parameters"],
        share=first["trainable_parameters"] / first["total_parameters"],
        learning_rate=first["learning_rate"],
        before=fmean(float(r["eval_loss_before"]) for r in done),
        after=fmean(after),
        spread=stdev(after) if len(after) > 1 else 0.0,
        seconds=fmean(float(r["elapsed"]) for r in done),
        tokens_per_second=fmean(float(r["tokens_per_second"]) for r in done),
        peak_bytes=max(r["peak_bytes"] for r in done),
        delta_bytes=first["delta_bytes"] or 0,
        rate_seconds=first.get("rate_seconds") or 0.0,
        rate_source=first.get("learning_rate_source") or "given",
        held_out=frozenset(str(r.get("held_out", "")) for r in done),
        losses={r["seed"]: float(r["eval_loss_after"]) for r in done},
        run_of={r["seed"]: str(r["run"]) for r in done},
    )


def comparable(rows: Sequence[Row]) -> bool:
    """Whether all runs are judged by the same held-out samples."""
    return len(frozenset[str]().union(*(row.held_out for row in rows))) <= 1


def pareto(rows: Sequence[Row]) -> list[Row]:
    """The Pareto front: plans that none with as few parameters beats, fewest parameters first."""
    ordered = sorted(rows, key=lambda row: (row.trainable, row.after))
    front: list[Row] = []
    for row in ordered:
        if not front or row.after < front[-1].after:
            front.append(row)
    return front
