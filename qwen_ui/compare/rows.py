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
        forgets: nats per token by which the loss on the text to keep rose, of each seed.
        kls: KL(base || tuned) per token of that text, of each seed (nats).
        kept: the sets of samples that both are measured on.
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
    forgets: dict[int, float] = field(default_factory=dict)
    kls: dict[int, float] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()

    @property
    def forgetting(self) -> float | None:
        """Nats per token by which the loss on the text to keep rose; None where there is none."""
        return fmean(self.forgets.values()) if self.forgets else None

    @property
    def forgetting_spread(self) -> float:
        """Sample standard deviation of `forgetting` over the seeds; 0 for one seed."""
        return stdev(self.forgets.values()) if len(self.forgets) > 1 else 0.0

    @property
    def kl(self) -> float | None:
        """KL(base || tuned) per token of the text to keep (nats); None where there is none."""
        return fmean(self.kls.values()) if self.kls else None

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
    kept_front = {row.plan for row in kept_pareto(rows)}
    derived = (
        *("perplexity", "gain", "gain_per_million", "gain_per_second"),
        *("forgetting", "forgetting_spread", "kl"),
    )
    return [
        {
            **asdict(row),
            **{key: getattr(row, key) for key in derived},
            "front": row.plan in front,
            "kept_front": row.plan in kept_front,
            "held_out": sorted(row.held_out),
            "kept": sorted(row.kept),
            # A key in JSON is a text.
            **{
                name: {str(seed): value for seed, value in getattr(row, name).items()}
                for name in ("losses", "run_of", "forgets", "kls")
            },
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
        **_kept_figures(done),
    )


def _kept_figures(done: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the runs lost of the text to keep, where all of them have one."""
    keys = ("keep_loss_before", "keep_loss_after", "kl")
    if any(r.get(key) is None for r in done for key in keys):
        return {}
    return {
        "forgets": {r["seed"]: r["keep_loss_after"] - r["keep_loss_before"] for r in done},
        "kls": {r["seed"]: float(r["kl"]) for r in done},
        "kept": frozenset(str(r.get("keep_fingerprint") or "") for r in done),
    }


def comparable(rows: Sequence[Row]) -> bool:
    """Whether all runs are judged by the same held-out samples."""
    return len(frozenset[str]().union(*(row.held_out for row in rows))) <= 1


def keeps(rows: Sequence[Row]) -> bool:
    """Whether all plans are measured on one text to keep."""
    return all(row.forgets for row in rows) and len({text for r in rows for text in r.kept}) == 1


def kept_pareto(rows: Sequence[Row]) -> list[Row]:
    """The plans of which none gains more and forgets less, those that forget least first."""
    if not keeps(rows):
        return []
    ordered = sorted(rows, key=lambda row: (row.forgetting or 0.0, -row.gain))
    front: list[Row] = []
    for row in ordered:
        if not front or row.gain > front[-1].gain:
            front.append(row)
    return front


def pareto(rows: Sequence[Row]) -> list[Row]:
    """The Pareto front: plans that none with as few parameters beats, fewest parameters first."""
    ordered = sorted(rows, key=lambda row: (row.trainable, row.after))
    front: list[Row] = []
    for row in ordered:
        if not front or row.after < front[-1].after:
            front.append(row)
    return front
