"""The fold of a run's events, from which every list, summary, curve and view is made.

The one place that knows what resuming means: a `start` at step k forgets what was recorded after k.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter

from qwen_ui.runs.events import Event
from qwen_ui.runs.fields import LARGEST_COUNT

STEP_COLUMNS = (
    *("step", "epoch", "tokens", "elapsed", "loss", "seconds"),
    *("learning_rate", "gradient_norm", "memory_bytes"),
)
_COUNTS = frozenset({"step", "tokens", "memory_bytes"})
_NUMBERS = frozenset({float, int})

Column = list[float | None]


def _no_steps() -> dict[str, Column]:
    return {name: [] for name in STEP_COLUMNS}


@dataclass(slots=True)
class RunFold:
    """The state that a run's events add up to, or consecutive events of them.

    Attributes:
        start, end: the last of these events; {} where there is none. A resumed run has no end yet.
        columns: the numbers of every step, by name (`STEP_COLUMNS`); None where a step has none.
        recorded: names of the columns that steps record at all.
        phase: what the worker told last of what it does; {} where it told nothing.
        evals, samples, movements, grids, machine, trials, logs: these events, in order.
        unreadable: lines that were no events, and steps with a value that is no number.
    """

    start: Event = field(default_factory=dict)
    end: Event = field(default_factory=dict)
    phase: Event = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=_no_steps)
    recorded: set[str] = field(default_factory=set)
    evals: list[Event] = field(default_factory=list)
    samples: list[Event] = field(default_factory=list)
    movements: list[Event] = field(default_factory=list)
    grids: list[Event] = field(default_factory=list)
    machine: list[Event] = field(default_factory=list)
    trials: list[Event] = field(default_factory=list)
    logs: list[Event] = field(default_factory=list)
    unreadable: int = 0

    def add(self, event: Event) -> None:
        """Take in the next event."""
        self.add_all([event])

    def add_all(self, events: Iterable[Event]) -> None:
        """Take in the next events."""
        steps: list[Event] = []
        others = {
            "eval": self.evals,
            "sample": self.samples,
            "movement": self.movements,
            "grid": self.grids,
            "machine": self.machine,
            "trial": self.trials,
            "log": self.logs,
        }
        for event in events:
            name = event["event"]
            if name == "step":
                steps.append(event)
            elif name == "start":
                self._add_steps(steps)
                steps = []
                self._resume(event)
            elif name == "end":
                self.end = event
            elif name == "phase":
                self.phase = event
            elif name in others:
                others[name].append(event)
        self._add_steps(steps)

    def last(self, column: str) -> float | None:
        """The last number of this column; None where it has none."""
        return next((value for value in reversed(self.columns[column]) if value is not None), None)

    def _add_steps(self, steps: Sequence[Event]) -> None:
        if not steps:
            return
        self.recorded |= steps[0].keys() & set(STEP_COLUMNS)
        # Record by record: a column at a time meets each of 100,000 records again, in twice the
        # time.
        try:
            flat = list(chain.from_iterable(map(itemgetter(*STEP_COLUMNS), steps)))
        except KeyError:
            flat = [event.get(name) for event in steps for name in STEP_COLUMNS]
        if not set(map(type, flat)) <= _NUMBERS:
            self.unreadable += sum(v is not None and type(v) not in _NUMBERS for v in flat)
            flat = [value if type(value) in _NUMBERS else None for value in flat]
        for row, name in enumerate(STEP_COLUMNS):
            column = flat[row :: len(STEP_COLUMNS)]
            self.columns[name] += self._counts(column) if name in _COUNTS else column

    def _counts(self, column: Column) -> Column:
        """The column with gaps where a number can be no count."""
        numbers = [n for n in column if n is not None]
        if not numbers or (min(numbers) >= 0 and max(numbers) <= LARGEST_COUNT):
            return column
        kept = [n if n is not None and 0 <= n <= LARGEST_COUNT else None for n in column]
        self.unreadable += kept.count(None) - column.count(None)
        return kept

    def _resume(self, start: Event) -> None:
        """Begin, or go back to a checkpoint's step: what came after it is done again."""
        back = int(start.get("step") or 0)
        self.start, self.end = start, {}
        kept = bisect_right(self.columns["step"], float(back), key=lambda step: float(step or 0))
        for column in self.columns.values():
            del column[kept:]
        if not kept:
            self.recorded.clear()
        if not back:
            self.trials.clear()
        for events in (self.evals, self.samples, self.movements, self.grids, self.machine):
            # A run that begins anew measures again what it did before its first step.
            events[:] = [event for event in events if back and _step_of(event) <= back]


def _step_of(event: Event) -> int:
    return int(event.get("step") or 0)
