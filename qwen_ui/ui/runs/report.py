"""Several runs as one HTML file that opens from disk: curves, figures, differences, samples.

It carries plotly.js within itself and asks for nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from qwen_ui.formats import signed
from qwen_ui.runs import best_run, fold_run, run_curves, run_folder, setting_differences
from qwen_ui.ui.page import SERIES_COLOURS, plotly_script, render, script
from qwen_ui.ui.runs.live_grid import grid_record

SHOWN_SAMPLES = 12


def report(runs: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """The report's HTML.

    Args:
        runs: their names, in the order of the report.
        rows: those of these runs (`run_rows`).
    """
    drawn = run_curves(runs)
    for number, run in enumerate(drawn):
        run["colour"] = SERIES_COLOURS[number % len(SERIES_COLOURS)]
    kept = any(row["forgetting"] is not None for row in rows)
    return render(
        "runs/report.html",
        kept=kept,
        title=f"{len(drawn)} {'run' if len(drawn) == 1 else 'runs'}",
        figures=_figures(rows, best_run(rows), kept=kept),
        runs=list(runs),
        differences=_differences(runs),
        grids=[grid for run in runs if (grid := _grid(run)) is not None],
        samples=[cells for run in runs for cells in _samples(run)],
        drawn=drawn,
        plotly=script(plotly_script().read_text(encoding="utf-8")),
    )


def _figures(
    runs: Sequence[dict[str, Any]], best: str | None, *, kept: bool
) -> list[dict[str, Any]]:
    """The cells of each run's row, and whether it is the best.

    Args:
        kept: whether some run has a text to keep.
    """
    return [
        {
            "best": run["run"] == best,
            "cells": (
                run["name"] or run["run"],
                run["plan"],
                run["model"],
                run["status"],
                f"{run['step']:,} of {run['steps']:,}",
                _rounded(run["eval_before"]),
                _rounded(run["eval_after"]) + (" (best)" if run["run"] == best else ""),
                *(_kept(run) if kept else ()),
                f"{run['elapsed']:.1f}",
            ),
        }
        for run in runs
    ]


def _kept(run: dict[str, Any]) -> tuple[str, str]:
    """What a run forgot of its text to keep: the loss's rise, and KL."""
    forgetting = run["forgetting"]
    return "–" if forgetting is None else signed(forgetting, 4), _rounded(run["kl"])


def _differences(runs: Sequence[str]) -> list[dict[str, Any]]:
    """Each setting that differs, with (value, whether most runs have it) of each run."""
    rows = []
    for row in setting_differences(runs):
        most, count = Counter(row["values"]).most_common(1)[0]
        cells = [(value, count > 1 and value == most) for value in row["values"]]
        rows.append({"label": row["label"], "cells": cells})
    return rows


def _samples(run: str) -> list[tuple[str, ...]]:
    """Run, step, prompt and continuation of its first and last samples."""
    events = fold_run(run_folder(run)).samples
    shown = events[:2] + events[2:][-(SHOWN_SAMPLES - 2) :]
    cells = ((run, *(event.get(key) for key in ("step", "prompt", "text"))) for event in shown)
    return [tuple("" if cell is None else str(cell) for cell in row) for row in cells]


def _grid(run: str) -> dict[str, Any] | None:
    """The last picture of a run's live grid, as rows of cells; None where it has none.

    A cell is (what it says, its shade in per cent or None for frozen), None for no such tensor.
    """
    pictures = fold_run(run_folder(run)).grids
    if not pictures:
        return None
    record = grid_record(pictures[-1:], pictures)
    inside = [(label, blocks) for label, _, blocks in record["kinds"] if blocks]
    if not inside:
        return None
    last = record["pictures"][0]
    ratios = {(label, block): ratio for label, row in last["rows"] for block, ratio, _ in row}
    sizes = [ratio for ratio in ratios.values() if ratio]
    low, high = (math.log(min(sizes)), math.log(max(sizes))) if sizes else (0.0, 0.0)

    def cell(label: str, block: int) -> tuple[str, float | None]:
        ratio = ratios.get((label, block)) or 0.0
        text = f"{label}, block {block}: {ratio:.3g}"
        if not ratio:
            return text, None
        return text, 15 + 85 * (math.log(ratio) - low) / (high - low) if high > low else 60

    rows = [
        (block, [cell(label, block) if block in blocks else None for label, blocks in inside])
        for block in range(1 + max(max(blocks) for _, blocks in inside))
    ]
    return {"run": run, "step": last["step"], "kinds": [label for label, _ in inside], "rows": rows}


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
