"""Several runs compared: their curves, the settings in which they differ, the best one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from qwen_ui.formats import EXACT_DIGITS, rounded
from qwen_ui.runs.annotation import annotation_of
from qwen_ui.runs.csv_export import csv_of
from qwen_ui.runs.current_status import status_of
from qwen_ui.runs.curves import SERIES, Axis, lines_of
from qwen_ui.runs.folded import fold_run
from qwen_ui.runs.folder import run_folder
from qwen_ui.runs.plan_record import recorded_plan
from qwen_ui.runs.reader import RunReader, reading
from qwen_ui.runs.spec import SETTING_PLACES, recorded_settings, setting_label
from qwen_ui.runs.thinning import Line, shown_lines

MOST_RUNS = 24
MOST_DERIVED = 24  # of a run, kept until it goes on
# What follows the date in a run's name: plan, model and four digits.
DATE = len("20261125-154210-")


def run_curves(
    runs: Sequence[str],
    *,
    axis: Axis = "step",
    smoothing: float = 0.9,
    only: Sequence[str] = SERIES,
    between: tuple[float, float] | None = None,
) -> list[dict[str, Any]]:
    """`run`, `name`, `own` (a person gave it), `over` and thinned `lines` (`only` these) of each.

    They are `MOST_RUNS` at most.

    Of a run that was read before, only what is new is read.

    Args:
        between: the part of the axis that is looked at, thinned by itself; None for all of it.
    """
    found = []
    for run in runs[:MOST_RUNS]:
        folder = run_folder(run)
        # The status first: when it says that the run is over, all of its events are there.
        over = status_of(folder).over
        with reading(folder) as reader:
            lines = _thinned_lines(reader, axis, smoothing, only, between)
        own = annotation_of(folder)["name"]
        found.append(
            {
                "run": run,
                "name": own or run[DATE:],
                "own": bool(own),
                "over": over,
                "lines": lines,
            }
        )
    return found


def _thinned_lines(
    reader: RunReader,
    axis: Axis,
    smoothing: float,
    only: Sequence[str],
    between: tuple[float, float] | None,
) -> dict[str, Line]:
    """The lines that have points; drawn again only where the run has gone on."""
    key = ("lines", axis, smoothing, between, *only)
    if key not in reader.derived:
        if len(reader.derived) >= MOST_DERIVED:
            reader.derived.clear()  # somebody moves a slider
        lines = lines_of(reader.fold, axis=axis, smoothing=smoothing, only=only)
        reader.derived[key] = shown_lines(lines, between)
    return dict(reader.derived[key])


def _flat_settings(run: str) -> dict[str, str]:
    """A run's settings and plan as texts by name, to compare: `learning_rate` -> `0.001`."""
    folder = run_folder(run)
    settings = recorded_settings(folder)
    # A setting that is not given is as one that the run's version did not know.
    flat = {n: _text(v) for n, v in settings.items() if n != "plan" and v is not None}
    plan = recorded_plan(folder)
    flat["plan.name"] = plan.name
    for number, rule in enumerate(plan.rules, start=1):
        flat[f"plan.rule {number}"] = json.dumps(rule, ensure_ascii=False, sort_keys=True)
    return flat


# What runs did that have no such setting.
_FORMERLY = {
    "optimizer": "adamw",
    "gradient_checkpointing": "false",
    "optimizer_offload": "false",
    "keep_tokens": "8192",
    "eval_tokens": "0",
}


def setting_differences(runs: Sequence[str]) -> list[dict[str, Any]]:
    """The settings that are not the same in all these runs: `setting`, `label` and `values`."""
    flats = [_flat_settings(run) for run in runs[:MOST_RUNS]]
    names = list(dict.fromkeys(name for flat in flats for name in flat))
    rows = [
        {
            "setting": name,
            "label": _label(name),
            "values": [flat.get(name, _FORMERLY.get(name, "–")) for flat in flats],
        }
        for name in names
    ]
    return [row for row in rows if len(set(row["values"])) > 1]


def _label(name: str) -> str:
    """Of a setting as its form has it; of a part of the plan."""
    if name in SETTING_PLACES:
        return setting_label(name)
    name = name.replace("plan.name", "plan").replace("plan.rule", "plan, rule")
    return name.replace("_", " ").capitalize()


def best_run(rows: Sequence[dict[str, Any]]) -> str | None:
    """The run with the lowest evaluation loss after training; None where no run has one.

    Args:
        rows: of the index, see `index.run_rows`.
    """
    scored = [(row["eval_after"], row["run"]) for row in rows]
    finite = [pair for pair in scored if pair[0] is not None]
    return min(finite)[1] if finite else None


def runs_csv(runs: Sequence[str]) -> str:
    """Steps and evaluations of these runs as one CSV, the run in the first column."""
    lines: list[str] = []
    for run in runs[:MOST_RUNS]:
        head, *rows = csv_of(fold_run(run_folder(run))).splitlines()
        if not lines:
            lines.append(f"run,{head}")
        lines += [f"{run},{row}" for row in rows]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, float):
        return rounded(value, EXACT_DIGITS)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
