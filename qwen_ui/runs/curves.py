"""A run's events as the lines of a chart: read from an offset, smoothed, thinned to their extremes.

Only what is new since the offset travels. What a later batch needs of the earlier ones (the state
of the smoothing, the tokens so far) goes to the reader and comes back as a small `Carry`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, Literal, get_args

from qwen_ui.runs.events import Event

Axis = Literal["step", "tokens", "elapsed"]
Figure = Literal["loss", "learning_rate", "gradient_norm", "tokens_per_second", "memory_bytes"]
AXES: tuple[Axis, ...] = get_args(Axis)
FIGURES: tuple[Figure, ...] = get_args(Figure)
PLAIN = ("learning_rate", "gradient_norm", "memory_bytes")
STEP_COLUMNS = (*AXES, "loss", "seconds", *PLAIN)
_NUMBERS = frozenset({float, int})
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
    before = {"step": carry.step, "tokens": carry.tokens, "elapsed": carry.elapsed}
    steps, evals = _kept(events)
    columns = _columns(steps, STEP_COLUMNS)
    for name in AXES:
        columns[name] = _filled(columns[name], before[name])
    x: list[float] = columns[axis]  # type: ignore[assignment]
    lines = {name: _whole(steps, name, x, columns[name]) for name in ("loss", *PLAIN)}
    lines["tokens_per_second"] = _speed(x, columns, before["tokens"])
    lines["smooth"] = _smoothed(x, columns["loss"], carry, smoothing)
    # An evaluation is made at a step: where it stands on the other axes, the step does.
    at = [e.get("step", 0) if axis == "step" else [before[axis], *x][row] for row, e in evals]
    lines["eval"] = at, [_number(event.get("loss")) for _, event in evals]
    if steps:
        carry.step, carry.tokens, carry.elapsed = (columns[name][-1] or 0.0 for name in AXES)
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


def _kept(events: Sequence[Event]) -> tuple[list[Event], list[tuple[int, Event]]]:
    """Steps, and evaluations with the number of steps before them.

    A resumed run does the steps after its checkpoint again: what was recorded of them goes.
    """
    steps: list[Event] = []
    evals: list[tuple[int, Event]] = []
    for event in events:
        match event["event"]:
            case "step":
                steps.append(event)
            case "eval":
                evals.append((len(steps), event))
            case "start":
                back = event.get("step") or 0
                while steps and steps[-1]["step"] > back:
                    steps.pop()
                while evals and evals[-1][1].get("step", 0) > back:
                    evals.pop()
    return steps, evals


def _columns(events: Sequence[Event], names: Sequence[str]) -> dict[str, list[float | None]]:
    """The numbers of these names; None where an event has none.

    Record by record: a column at a time meets each of 100,000 records again, in twice the time.
    """
    try:
        flat = list(chain.from_iterable(map(itemgetter(*names), events)))
    except KeyError:
        flat = [event.get(name) for event in events for name in names]
    if not set(map(type, flat)) <= _NUMBERS:
        flat = [value if type(value) in _NUMBERS else None for value in flat]
    return {name: flat[row :: len(names)] for row, name in enumerate(names)}


def _filled(column: list[float | None], last: float) -> list[float | None]:
    """Gaps take the value before them: an axis has none."""
    if None not in column:
        return column
    filled: list[float | None] = []
    for value in column:
        last = last if value is None else value
        filled.append(last)
    return filled


def _whole(steps: list[Event], name: str, x: list[float], column: list[float | None]) -> Line:
    """A column as a line; one that these events do not have at all is no line."""
    return (list(x), column) if steps and (name == "loss" or name in steps[0]) else ([], [])


def _speed(x: list[float], columns: dict[str, list[float | None]], before: float) -> Line:
    """Tokens a second, where a step says how long it took."""
    line: Line = ([], [])
    for at, tokens, seconds in zip(x, columns["tokens"], columns["seconds"], strict=True):
        new = (tokens or 0.0) - before
        before = tokens or before
        if seconds and new > 0:
            line[0].append(at)
            line[1].append(new / seconds)
    return line


def _smoothed(x: list[float], losses: list[float | None], carry: Carry, share: float) -> Line:
    line: Line = ([], [])
    for at, loss in zip(x, losses, strict=True):
        if loss is not None:
            carry.sum = share * carry.sum + (1 - share) * loss
            carry.weight = share * carry.weight + (1 - share)
            line[0].append(at)
            line[1].append(carry.sum / carry.weight)
    return line


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
