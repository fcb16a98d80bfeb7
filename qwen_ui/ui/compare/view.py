"""What the Compare tab's view asks for: where a comparison stands, its curves and its verdict."""

from __future__ import annotations

from typing import Any

import gradio as gr

from qwen_ui.errors import UserError
from qwen_ui.ui.page.run_view import serve_plotly

OVER = {"completed", "failed", "stopped", "interrupted"}


def comparison_view(elem_id: str) -> gr.HTML:
    """The view of the comparison that its value names; "" shows that there is none yet."""
    return gr.HTML(
        "",
        html_template='<div class="qc-view" data-plotly="${plotly}"></div>',
        js_on_load="window.QwenCompare.mount({ element, props, server, watch });",
        apply_default_css=False,
        elem_id=elem_id,
        server_functions=[state, act, report],
        plotly=serve_plotly(),
    )


def state(asked: dict[str, Any]) -> dict[str, Any]:
    """All that the view shows of a comparison.

    Args:
        asked: `name` of the comparison, and the `axis` of its curves.
    """
    from qwen_ui.compare.comparison import read_comparison, results
    from qwen_ui.compare.report import samples_of, setup_of
    from qwen_ui.compare.verdict import headline, row_records, rows_of, verdict_sentence
    from qwen_ui.runs.curves import AXES
    from qwen_ui.runs.side_by_side import overlay
    from qwen_ui.workers.launch import dispatch

    axis = asked.get("axis") if asked.get("axis") in AXES else "step"
    try:
        comparison = read_comparison(str(asked.get("name", "")))
        found = results(comparison)
        drawn = {run["run"]: run["lines"] for run in overlay(comparison.runs, axis=str(axis))}
    except UserError as error:
        return {"error": str(error)}
    if any(record["status"] == "queued" for record in found):
        # Whoever started them may be gone, and with it who would start the next one.
        dispatch()
    rows = rows_of(found)
    return {
        "name": comparison.name,
        "setup": setup_of(comparison),
        "plans": list(comparison.labels),
        "runs": [_run(record, drawn.get(record["run"], {})) for record in found],
        "planned": len(comparison.entries),
        "over": len(found) == len(comparison.entries) and all(r["status"] in OVER for r in found),
        "rows": row_records(rows),
        "headline": headline(rows),
        "verdict": verdict_sentence(rows),
        "samples": samples_of(found),
    }


def _run(record: dict[str, Any], lines: dict[str, Any]) -> dict[str, Any]:
    keys = ("run", "plan", "seed", "status", "reason", "steps")
    kept = {name: line for name, line in lines.items() if name in ("smooth", "eval")}
    return {**{key: record[key] for key in keys}, "step": len(record["losses"]), "lines": kept}


def act(asked: dict[str, Any]) -> dict[str, str]:
    """Stop what runs, or carry on with what was cut off; {} or what was wrong."""
    from qwen_ui.compare.comparison import begin, read_comparison, stop_all

    try:
        comparison = read_comparison(str(asked.get("name", "")))
        if asked.get("action") == "stop":
            stop_all(comparison)
        else:
            begin(comparison)
    except UserError as error:
        return {"error": str(error)}
    return {}


def report(asked: dict[str, Any]) -> str:
    """The comparison as Markdown, or as one HTML file; both hold their charts."""
    from qwen_ui.compare.comparison import read_comparison
    from qwen_ui.ui.compare.report import html, markdown

    comparison = read_comparison(str(asked.get("name", "")))
    return markdown(comparison) if asked.get("format") == "markdown" else html(comparison)
