"""Several runs side by side: their lines, where their settings and plans differ, and the best."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from qwen_ui.files import read_json
from qwen_ui.runs.curves import SERIES, Carry, Line, csv_of, lines_of, thinned
from qwen_ui.runs.events import Event, read_events
from qwen_ui.runs.folder import run_folder, status_of
from qwen_ui.runs.follow import Follower
from qwen_ui.runs.spec import recorded_settings

MOST_RUNS = 24
# Runs are told apart by the rest of their names: plan, model and four digits.
DATE = len("20261125-154210-")


@dataclass(slots=True)
class _Lines:
    """All lines of one run as they grow, and what was drawn of them since the last event."""

    axis: str
    smoothing: float
    carry: Carry = field(default_factory=Carry)
    whole: dict[str, Line] = field(default_factory=lambda: {name: ([], []) for name in SERIES})
    thin: dict[str, Line] = field(default_factory=dict)

    def add_all(self, events: Sequence[Event]) -> None:
        if not events:
            return
        self.thin.clear()
        new = lines_of(events, self.carry, axis=self.axis, smoothing=self.smoothing)
        for name, (x, y) in new.items():
            self.whole[name][0].extend(x)
            self.whole[name][1].extend(y)

    def drawn(self, name: str) -> Line:
        if name not in self.thin:
            x, y = thinned(self.whole[name])
            self.thin[name] = (list(x), list(y))
        return self.thin[name]


_lines = Follower(_Lines.add_all)


def overlay(
    runs: Sequence[str],
    *,
    axis: str = "step",
    smoothing: float = 0.9,
    only: Sequence[str] = SERIES,
) -> list[dict[str, Any]]:
    """`run`, `name`, `over` and thinned `lines` (`only` these) of each, at most `MOST_RUNS`.

    Of a run that was asked for before only what is new is read.
    """
    found = []
    for run in runs[:MOST_RUNS]:
        folder = run_folder(run)
        # The status first: when it says that the run is over, all of its events are there.
        over = status_of(folder).over
        with _lines.fold(folder, partial(_Lines, axis, smoothing), (axis, smoothing)) as lines:
            drawn = {name: lines.drawn(name) for name in only if lines.whole[name][0]}
        name = read_json(folder / "meta.json").get("name") or run[DATE:]
        found.append({"run": run, "name": name, "over": over, "lines": drawn})
    return found


def settings_of(run: str) -> dict[str, str]:
    """A run's settings and plan as flat texts, to compare: `learning_rate` -> `0.001`."""
    folder = run_folder(run)
    settings = recorded_settings(folder)
    flat = {name: _text(value) for name, value in settings.items() if name != "plan"}
    plan = read_json(folder / "plan.json")
    flat["plan.name"] = str(plan.get("name") or "")
    for number, rule in enumerate(plan.get("rules") or [], start=1):
        flat[f"plan.rule {number}"] = json.dumps(rule, ensure_ascii=False, sort_keys=True)
    return flat


def differences(runs: Sequence[str]) -> list[dict[str, Any]]:
    """The settings in which these runs are not all alike: `setting`, and their `values`."""
    flats = [settings_of(run) for run in runs[:MOST_RUNS]]
    names = list(dict.fromkeys(name for flat in flats for name in flat))
    rows = [{"setting": name, "values": [flat.get(name, "–") for flat in flats]} for name in names]
    return [row for row in rows if len(set(row["values"])) > 1]


def best_of(glances: Sequence[dict[str, Any]]) -> str | None:
    """The run of these with the lowest evaluation loss after training; None where none has one."""
    scored = [(glance["eval_after"], glance["run"]) for glance in glances]
    finite = [pair for pair in scored if pair[0] is not None]
    return min(finite)[1] if finite else None


def runs_csv(runs: Sequence[str]) -> str:
    """All recorded steps of these runs as one CSV, the run in the first column."""
    lines: list[str] = []
    for run in runs[:MOST_RUNS]:
        head, *rows = csv_of(read_events(run_folder(run))[0]).splitlines()
        if not lines:
            lines.append(f"run,{head}")
        lines += [f"{run},{row}" for row in rows]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
