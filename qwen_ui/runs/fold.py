"""A run's events folded, one by one, into the figures that lists and summaries show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from qwen_ui.runs.events import Event


@dataclass(slots=True)
class Glance:
    """What a list shows of a run: figures that the next event brings up to date.

    Attributes:
        step: the last step recorded, 0 before the first.
        loss: that step's training loss (nats a token), None where it was not finite.
        tokens: seen so far.
        elapsed: seconds of training.
        peak_bytes: the largest memory recorded.
        eval_first, eval_last, best_eval: evaluation losses.
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
    start: Event = field(default_factory=dict)
    end: Event = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Take in the next event."""
        match event["event"]:
            case "start":
                self.start, self.end = event, {}
            case "step":
                self._step(event)
            case "eval":
                self._eval(event.get("loss"))
            case "end":
                self.end = event

    @property
    def eval_before(self) -> float | None:
        """The evaluation before the first step."""
        said: float | None = self.end.get("eval_loss_before")
        return self.eval_first if said is None else said

    @property
    def eval_after(self) -> float | None:
        """The last evaluation, once training has begun."""
        said: float | None = self.end.get("eval_loss_after")
        return said if said is not None else self.eval_last if self.step else None

    def _step(self, event: Event) -> None:
        self.step, self.loss = int(event["step"]), event.get("loss")
        self.tokens = int(event.get("tokens") or self.tokens)
        self.elapsed = float(event.get("elapsed") or self.elapsed)
        self.peak_bytes = max(self.peak_bytes, int(event.get("memory_bytes") or 0))

    def _eval(self, loss: float | None) -> None:
        if loss is None:
            return
        if self.eval_first is None:
            self.eval_first = loss
        self.eval_last = loss
        self.best_eval = loss if self.best_eval is None else min(self.best_eval, loss)


@dataclass(slots=True)
class Digest(Glance):
    """All of a run's steps beside the glance.

    A resumed run goes back to its checkpoint's step: what it does anew replaces what was recorded
    of these steps before.

    Attributes:
        losses, seconds: of every step.
        samples: these events.
    """

    losses: dict[int, float | None] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    samples: list[Event] = field(default_factory=list)

    def add_all(self, events: Iterable[Event]) -> None:
        """Take in the next events."""
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        Glance.add(self, event)
        if event["event"] == "start":
            self._go_back(int(event.get("step") or 0))
        elif event["event"] == "step":
            self.losses[self.step] = self.loss
            if event.get("seconds"):
                self.seconds[self.step] = float(event["seconds"])
        elif event["event"] == "sample":
            self.samples.append(event)

    def record(self) -> dict[str, Any]:
        """The keys of `train --json` that come from events."""
        seconds = median(self.seconds.values()) if self.seconds else None
        per_step = self.tokens / len(self.losses) if self.losses else 0.0
        return {
            "losses": [self.losses[step] for step in sorted(self.losses)],
            "eval_loss_before": self.eval_before,
            "eval_loss_after": self.eval_after,
            "seconds_per_step": seconds,
            "tokens_per_second": per_step / seconds if seconds else None,
            "prefix_blocks": int(self.start.get("prefix_blocks") or 0),
            "peak_bytes": self.peak_bytes,
        }

    def _go_back(self, to: int) -> None:
        for step in [step for step in self.losses if step > to]:
            del self.losses[step]
            self.seconds.pop(step, None)
