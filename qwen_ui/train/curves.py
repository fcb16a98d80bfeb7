"""A run's events as the lines of a chart: read from an offset, smoothed, thinned to their extremes.

Only what is new since the offset travels. What a later batch needs of the earlier ones (the state
of the smoothing, the tokens so far) goes to the reader and comes back as a small `Carry`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from qwen_ui.train.events import Event

AXES = ("step", "tokens", "elapsed")
FIGURES = ("loss", "learning_rate", "gradient_norm", "tokens_per_second", "memory_bytes")
SERIES = (*FIGURES, "smooth", "eval")
CSV_COLUMNS = (
    *("step", "epoch", "tokens", "elapsed", "loss", "eval_loss"),
    *("learning_rate", "gradient_norm", "seconds", "memory_bytes"),
)
MOST_POINTS = 1200

Line = tuple[list[float], list[float | None]]


@dataclass(slots=True)
class Carry:
    """What the next batch of events has to know.

    Attributes:
        sum, weight: of the exponential mean; `sum / weight` is the smoothed value (debiased as in
            Adam, arXiv 1412.6980, section 3).
        step, tokens, elapsed: at the last step read.
    """

    sum: float = 0.0
    weight: float = 0.0
    step: float = 0.0
    tokens: float = 0.0
    elapsed: float = 0.0

    @classmethod
    def of(cls, record: Any) -> Carry:
        """From what a browser sent back; anything but finite numbers counts as 0."""
        given = record if isinstance(record, dict) else {}
        return cls(**{name: _number(given.get(name)) or 0.0 for name in cls.__dataclass_fields__})

    def record(self) -> dict[str, float]:
        return asdict(self)


def lines_of(
    events: Sequence[Event], carry: Carry, *, axis: str = "step", smoothing: float = 0.9
) -> dict[str, Line]:
    """(x, y) of each of `SERIES`; `carry` is brought up to date.

    Args:
        axis: what x is: optimizer steps, tokens seen, or seconds of training.
        smoothing: share of the past in the running mean, 0 to below 1, a step.
    """
    lines: dict[str, Line] = {name: ([], []) for name in SERIES}
    steps: dict[str, list[float]] = {name: [] for name in SERIES}
    for event in events:
        if event["event"] == "step":
            _add_step(lines, event, carry, axis, smoothing)
        elif event["event"] == "eval":
            # An evaluation is made at a step: where it stands on the other axes, the step does.
            at = event.get("step", 0) if axis == "step" else getattr(carry, axis)
            _put(lines["eval"], at, event.get("loss"))
        elif event["event"] == "start":
            _go_back(lines, steps, _number(event.get("step")) or 0.0)
        for name, line in lines.items():
            if len(line[0]) > len(steps[name]):
                steps[name].append(_number(event.get("step")) or 0.0)
    return lines


def thinned(line: Line, most: int = MOST_POINTS) -> Line:
    """At most this many points, the smallest and the largest of every bucket among them.

    A line that is short enough is returned as it is. The first and the last point always stay, and
    gaps (None) are dropped from buckets that have values.
    """
    x, y = line
    if len(x) <= most:
        return line
    buckets = max(1, (most - 2) // 2)
    keep = {0, len(x) - 1}
    for bucket in range(buckets):
        first, last = bucket * len(x) // buckets, (bucket + 1) * len(x) // buckets
        keep |= _extremes(y, first, last)
    rows = sorted(keep)
    return [x[row] for row in rows], [y[row] for row in rows]


def _go_back(lines: dict[str, Line], steps: dict[str, list[float]], step: float) -> None:
    """A resumed run does the steps after its checkpoint again: what was drawn of them goes."""
    for name, done in steps.items():
        while done and done[-1] > step:
            done.pop()
            lines[name][0].pop()
            lines[name][1].pop()


def _extremes(y: Sequence[float | None], first: int, last: int) -> set[int]:
    low = high = -1
    for row in range(first, last):
        value = y[row]
        if value is None:
            continue
        if low < 0 or value < y[low]:  # type: ignore[operator]
            low = row
        if high < 0 or value > y[high]:  # type: ignore[operator]
            high = row
    return {low, high} if low >= 0 else {first} if first < last else set()


def _add_step(
    lines: dict[str, Line], event: Event, carry: Carry, axis: str, smoothing: float
) -> None:
    tokens = _number(event.get("tokens")) or carry.tokens
    seconds = _number(event.get("seconds"))
    new = tokens - carry.tokens
    speed = new / seconds if seconds and new > 0 else None
    carry.step = _number(event.get("step")) or 0.0
    carry.tokens = tokens
    carry.elapsed = _number(event.get("elapsed")) or carry.elapsed
    x, loss = getattr(carry, axis), _number(event.get("loss"))
    _put(lines["loss"], x, loss)
    if loss is not None:
        carry.sum = smoothing * carry.sum + (1 - smoothing) * loss
        carry.weight = smoothing * carry.weight + (1 - smoothing)
        _put(lines["smooth"], x, carry.sum / carry.weight)
    for name in ("learning_rate", "gradient_norm", "memory_bytes"):
        if name in event:
            _put(lines[name], x, event[name])
    if speed is not None:
        _put(lines["tokens_per_second"], x, speed)


def _put(line: Line, x: float, y: Any) -> None:
    line[0].append(x)
    line[1].append(_number(y))


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def csv_of(events: Sequence[Event]) -> str:
    """All steps and evaluations as CSV, a row a record, nothing thinned."""
    columns = CSV_COLUMNS
    rows = [",".join(columns)]
    for event in events:
        if event["event"] == "step":
            rows.append(_csv_row(columns, event.get))
        elif event["event"] == "eval":
            row = {**event, "eval_loss": event.get("loss"), "loss": None}
            rows.append(_csv_row(columns, row.get))
    return "\n".join(rows) + "\n"


def _csv_row(columns: Sequence[str], value: Callable[[str], Any]) -> str:
    numbers = (_number(value(column)) for column in columns)
    return ",".join("" if number is None else f"{number:.10g}" for number in numbers)
