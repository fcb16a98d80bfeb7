"""What the Compare tab's view asks for: where a comparison stands, its curves and its verdict."""

from __future__ import annotations

from typing import Any, Literal

import gradio as gr

from qwen_ui.compare import (
    headline,
    notes_of,
    read_comparison,
    results,
    row_records,
    rows_of,
    samples_of,
    search_records,
    setup_of,
    start_runs,
    stop_runs,
    verdict_sentence,
)
from qwen_ui.runs import OVER, Axis, run_curves
from qwen_ui.ui.compare.report import html, markdown
from qwen_ui.ui.page import mount_point, mounted_by, server_function


def comparison_view(elem_id: str) -> gr.HTML:
    """The view of the comparison that its value names; "" shows that there is none yet."""
    return gr.HTML(
        "",
        html_template=mount_point("qc-view"),
        js_on_load=mounted_by("compare/comparison.js"),
        apply_default_css=False,
        elem_id=elem_id,
        server_functions=[server_function(f) for f in (state, act, report)],
    )


def state(name: str, axis: Axis = "step") -> dict[str, Any]:
    """All that the view shows of a comparison.

    Args:
        name: of the comparison.
        axis: of its curves.
    """
    comparison = read_comparison(name)
    found = results(comparison)
    curves = run_curves(comparison.runs, axis=axis, only=("smooth", "eval"))
    drawn = {run["run"]: run["lines"] for run in curves}
    rows, searches = rows_of(found), search_records(comparison)
    planned = len(comparison.searches) + len(comparison.entries)
    ended = [search["over"] for search in searches] + [run["status"] in OVER for run in found]
    return {
        "name": comparison.name,
        "model": comparison.entries[0].spec.model.source,
        "setup": setup_of(comparison),
        "plans": list(comparison.labels),
        "runs": [_run(record, drawn.get(record["run"], {})) for record in found],
        "searches": searches,
        "over": len(ended) == planned and all(ended),
        "rows": row_records(rows),
        "headline": headline(rows),
        "verdict": verdict_sentence(rows),
        "notes": notes_of(comparison),
        "samples": samples_of(found),
    }


def _run(record: dict[str, Any], lines: dict[str, Any]) -> dict[str, Any]:
    keys = ("run", "plan", "seed", "status", "reason", "steps")
    return {**{key: record[key] for key in keys}, "step": len(record["losses"]), "lines": lines}


def act(name: str, action: Literal["stop", "resume"]) -> dict[str, Any]:
    """Stop what runs, or go on with what was cut off."""
    comparison = read_comparison(name)
    if action == "stop":
        stop_runs(comparison)
    else:
        start_runs(comparison)
    return {}


def report(name: str, format: Literal["markdown", "html"]) -> dict[str, str]:
    """The comparison as Markdown, or as one HTML file; both hold their charts."""
    comparison = read_comparison(name)
    return {"text": markdown(comparison) if format == "markdown" else html(comparison)}
