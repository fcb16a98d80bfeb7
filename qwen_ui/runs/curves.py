"""A run's steps and evaluations as the lines of a chart, along the axis that is asked for.

A view that watches a run is sent what is new alone. What the next part needs of those before it
(the state of the smoothing, the tokens so far) goes to the browser and comes back as a small
`Carry`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from qwen_ui.runs.events import Event
from qwen_ui.runs.fields import LARGEST_COUNT, is_number
from qwen_ui.runs.fold import Column, RunFold
from qwen_ui.runs.thinning import Line

Axis = Literal["step", "tokens", "elapsed"]
Figure = Literal[
    "loss",
    "learning_rate",
    "gradient_norm",
    "tokens_per_second",
    "memory_bytes",
    "keep_loss",
    "kl",
]
AXES: tuple[Axis, ...] = get_args(Axis)
FIGURES: tuple[Figure, ...] = get_args(Figure)
# What the machine did, read now and then.
MACHINE = ("busy_percent", "used_bytes", "celsius", "watts")
# What an evaluation measures of a text to keep.
KEPT_FIGURES = ("keep_loss", "kl")
SERIES = (*FIGURES, "smooth", "eval", *MACHINE)


@dataclass(slots=True)
class Carry:
    """What the lines of the next events have to know of those before.

    Attributes:
        sum, weight: of the exponential mean; `sum / weight` is the smoothed value (debiased as in
            Adam, arXiv 1412.6980, section 3).
        step, tokens, elapsed: at the last step.
        beside, per_step: seconds that the worker expects of what is no step, and of a step.
    """

    sum: float = 0.0
    weight: float = 0.0
    step: float = 0.0
    tokens: float = 0.0
    elapsed: float = 0.0
    beside: float = 0.0
    per_step: float = 0.0

    @classmethod
    def of(cls, record: Any) -> Carry:
        """From what a browser sent back; what it could not have been sent counts as 0."""
        given = record if isinstance(record, dict) else {}
        numbers = {name: _number(given.get(name)) for name in cls.__dataclass_fields__}
        sent = {name: n for name, n in numbers.items() if n is not None and abs(n) <= LARGEST_COUNT}
        return cls(**sent)

    def heed(self, phase: Event) -> None:
        """Take over what the worker expects, as it told last; {} where it told nothing new."""
        for name in ("beside", "per_step"):
            expected = _number(phase.get(name))
            if expected is not None:
                setattr(self, name, expected)

    def remaining(self, steps: int) -> float | None:
        """Seconds to the end of a run of so many steps; None while nothing is known of them."""
        per_step = self.elapsed / self.step if self.step else self.per_step
        if not per_step:
            return None
        return per_step * max(0.0, steps - self.step) + self.beside

    def record(self) -> dict[str, float]:
        return asdict(self)


def lines_of(
    fold: RunFold,
    carry: Carry | None = None,
    *,
    axis: Axis = "step",
    smoothing: float = 0.9,
    only: Sequence[str] = SERIES,
) -> dict[str, Line]:
    """(x, y) of each of `SERIES`, or of `only` these; ([], []) where there is nothing to draw.

    Args:
        fold: of the whole run, or of the events that follow on those `carry` was brought up to.
        carry: brought up to date.
        axis: what x is: optimizer steps, tokens seen, or seconds of training.
        smoothing: share of the past in the running mean, 0 to below 1, per step.
    """
    carry = carry if carry is not None else Carry()
    columns = fold.columns
    along = {name: _filled(columns[name], getattr(carry, name)) for name in AXES}
    x = along[axis]
    lines: dict[str, Line] = {}
    for name in only:
        if name in {"eval", *MACHINE, *KEPT_FIGURES}:
            events = [(event, event.get("loss")) for event in fold.evals]
            if name in MACHINE:
                events = [(e, e[name]) for e in fold.machine if e.get(name) is not None]
            elif name in KEPT_FIGURES:
                events = [(e, e[name]) for e in fold.evals if e.get(name) is not None]
            lines[name] = _placed(events, along["step"], [getattr(carry, axis), *x], axis)
        elif name == "smooth":
            lines[name] = _smoothed(x, columns["loss"], carry, smoothing)
        elif name == "tokens_per_second":
            lines[name] = _speed(x, along["tokens"], columns["seconds"], carry.tokens)
        else:
            drawn = x and (name == "loss" or name in fold.recorded)
            lines[name] = (list(x), list(columns[name])) if drawn else ([], [])
    if x:
        carry.step, carry.tokens, carry.elapsed = (along[name][-1] for name in AXES)
    return lines


def _filled(column: Column, last: float) -> list[float]:
    """Gaps take the value before them: an axis has none."""
    if None not in column:
        return cast("list[float]", column)
    filled: list[float] = []
    for value in column:
        last = last if value is None else value
        filled.append(last)
    return filled


def _placed(
    events: Sequence[tuple[Event, Any]], steps: list[float], x: list[float], axis: str
) -> Line:
    """Values at the steps of their events; on another axis, where their step stands.

    Args:
        events: each with its value.
        steps: the steps there are.
        x: of each step, after that of what came before the first.
    """
    line: Line = ([], [])
    for event, value in events:
        step = event.get("step") or 0
        line[0].append(step if axis == "step" else x[bisect_right(steps, step)])
        line[1].append(_number(value))
    return line


def _speed(x: list[float], tokens: list[float], seconds: Column, before: float) -> Line:
    """Tokens per second, where a step says how long it took."""
    line: Line = ([], [])
    for at, total, took in zip(x, tokens, seconds, strict=True):
        if took and total > before:
            line[0].append(at)
            line[1].append((total - before) / took)
        before = total
    return line


def _smoothed(x: list[float], losses: Column, carry: Carry, share: float) -> Line:
    total, weight, new = carry.sum, carry.weight, 1 - share
    means: list[float | None] = []
    for loss in losses:
        if loss is not None:
            total = share * total + new * loss
            weight = share * weight + new
            means.append(total / weight)
    carry.sum, carry.weight = total, weight
    return [at for at, loss in zip(x, losses, strict=True) if loss is not None], means


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) else None
