"""The figures of a run that lists show: few enough to be stored and updated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qwen_ui.runs.fold import RunFold


@dataclass(slots=True)
class RunTotals:
    """Figures of a run, updated by the fold of the events that follow.

    They cannot go back: after a resume they are made again from the whole fold.

    Attributes:
        step: the last step recorded, 0 before the first.
        loss: that step's training loss (nats per token), None where it was not finite.
        tokens: seen so far.
        elapsed: seconds of training.
        peak_bytes: the largest memory recorded.
        eval_first, eval_last, best_eval: evaluation losses.
        keep_first, keep_last: losses on the text to keep; None where there is none.
        kl: KL(base || tuned) there, as it was last measured.
        unreadable: lines of the log that are no events.
        start, end: these events.
    """

    step: int = 0
    loss: float | None = None
    tokens: int = 0
    elapsed: float = 0.0
    peak_bytes: int = 0
    eval_first: float | None = None
    eval_last: float | None = None
    best_eval: float | None = None
    keep_first: float | None = None
    keep_last: float | None = None
    kl: float | None = None
    unreadable: int = 0
    start: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, fold: RunFold) -> RunTotals:
        """The totals of a whole run."""
        totals = cls()
        totals.add(fold)
        return totals

    def add(self, new: RunFold) -> None:
        """Take in the fold of the events that follow."""
        self.unreadable += new.unreadable
        if new.columns["step"]:
            self.step = int(new.columns["step"][-1] or 0)
            self.loss = new.columns["loss"][-1]
            self.tokens = int(new.last("tokens") or self.tokens)
            self.elapsed = float(new.last("elapsed") or self.elapsed)
            peak = max(filter(None, new.columns["memory_bytes"]), default=0)
            self.peak_bytes = max(self.peak_bytes, int(peak))
        losses = [event["loss"] for event in new.evals if event.get("loss") is not None]
        if losses:
            self.eval_first = losses[0] if self.eval_first is None else self.eval_first
            self.eval_last = losses[-1]
            self.best_eval = min(losses if self.best_eval is None else [self.best_eval, *losses])
        kept = [event for event in new.evals if event.get("keep_loss") is not None]
        if kept:
            self.keep_first = kept[0]["keep_loss"] if self.keep_first is None else self.keep_first
            self.keep_last, self.kl = kept[-1]["keep_loss"], kept[-1].get("kl")
        self.start, self.end = new.start or self.start, new.end or self.end

    @property
    def eval_before(self) -> float | None:
        """The evaluation before the first step."""
        said: float | None = self.end.get("eval_loss_before")
        return self.eval_first if said is None else said

    @property
    def forgetting(self) -> float | None:
        """Nats per token by which the loss on the text to keep rose, once training has begun."""
        if not self.step or self.keep_first is None or self.keep_last is None:
            return None
        return self.keep_last - self.keep_first

    @property
    def eval_after(self) -> float | None:
        """The last evaluation, once training has begun."""
        said: float | None = self.end.get("eval_loss_after")
        return said if said is not None else self.eval_last if self.step else None
