"""Several runs as one HTML file that opens from disk: curves, figures, differences, samples.

It carries plotly.js within itself and asks for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from qwen_ui.runs.events import read_events
from qwen_ui.runs.folder import run_folder
from qwen_ui.runs.side_by_side import best_of, differences, overlay
from qwen_ui.ui.page.colours import SERIES_COLOURS
from qwen_ui.ui.page.run_view import plotly_script
from qwen_ui.ui.page.templates import render

SHOWN_SAMPLES = 12


def report(runs: Sequence[str], glances: Sequence[dict[str, Any]]) -> str:
    """The report's HTML.

    Args:
        runs: their names, in the order of the report.
        glances: the records of these runs (`runs.index`).
    """
    drawn = overlay(runs)
    for number, run in enumerate(drawn):
        run["colour"] = SERIES_COLOURS[number % len(SERIES_COLOURS)]
    return render(
        "runs/report.html",
        title=f"{len(drawn)} {'run' if len(drawn) == 1 else 'runs'}",
        figures=_figures(glances, best_of(glances)),
        runs=list(runs),
        differences=_differences(runs),
        samples=[cells for run in runs for cells in _samples(run)],
        drawn=drawn,
        plotly=Markup(_library()),
    )


def _figures(glances: Sequence[dict[str, Any]], best: str | None) -> list[dict[str, Any]]:
    """The cells of each run's row, and whether it is the best."""
    return [
        {
            "best": glance["run"] == best,
            "cells": (
                glance["name"] or glance["run"],
                glance["plan"],
                glance["model"],
                glance["status"],
                f"{glance['step']:,} of {glance['steps']:,}",
                _rounded(glance["eval_before"]),
                _rounded(glance["eval_after"]) + (" (best)" if glance["run"] == best else ""),
                f"{glance['elapsed']:.1f}",
            ),
        }
        for glance in glances
    ]


def _differences(runs: Sequence[str]) -> list[dict[str, Any]]:
    """Each setting that differs, with (value, whether most runs have it) of each run."""
    rows = []
    for row in differences(runs):
        most, count = Counter(row["values"]).most_common(1)[0]
        cells = [(value, count > 1 and value == most) for value in row["values"]]
        rows.append({"setting": row["setting"], "cells": cells})
    return rows


def _samples(run: str) -> list[tuple[str, ...]]:
    """Run, step, prompt and continuation of its first and last samples."""
    events = [e for e in read_events(run_folder(run))[0] if e["event"] == "sample"]
    shown = events[:2] + events[2:][-(SHOWN_SAMPLES - 2) :]
    cells = ((run, *(event.get(key) for key in ("step", "prompt", "text"))) for event in shown)
    return [tuple("" if cell is None else str(cell) for cell in row) for row in cells]


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _library() -> str:
    return Path(plotly_script()).read_text(encoding="utf-8").replace("</script", "<\\/script")
