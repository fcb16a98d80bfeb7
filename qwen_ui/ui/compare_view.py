"""What the Compare tab's view asks for: where a comparison stands, its curves and its verdict."""

from __future__ import annotations

from typing import Any

import gradio as gr

from qwen_ui.errors import UserError
from qwen_ui.ui.charts import serve_plotly

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
    from qwen_ui.train.compare import read_comparison, results
    from qwen_ui.train.curves import AXES
    from qwen_ui.train.overlay import overlay
    from qwen_ui.train.verdict import row_records, rows_of, verdict

    axis = asked.get("axis") if asked.get("axis") in AXES else "step"
    try:
        comparison = read_comparison(str(asked.get("name", "")))
        found = results(comparison)
        drawn = {run["run"]: run["lines"] for run in overlay(comparison.runs, axis=str(axis))}
    except UserError as error:
        return {"error": str(error)}
    rows = rows_of(found)
    return {
        "name": comparison.name,
        "plans": list(comparison.labels),
        "runs": [_run(record, drawn.get(record["run"], {})) for record in found],
        "planned": len(comparison.entries),
        "over": len(found) == len(comparison.entries) and all(r["status"] in OVER for r in found),
        "rows": row_records(rows),
        "verdict": verdict(rows),
        "samples": _samples(found),
    }


def _run(record: dict[str, Any], lines: dict[str, Any]) -> dict[str, Any]:
    keys = ("run", "plan", "seed", "status", "reason", "steps")
    kept = {name: line for name, line in lines.items() if name in ("smooth", "eval")}
    return {**{key: record[key] for key in keys}, "step": len(record["losses"]), "lines": kept}


def _samples(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first and the last continuation of every plan, of its first run alone."""
    shown, seen = [], set()
    for record in found:
        samples = record["samples"]
        if record["plan"] in seen or len(samples) < 2:
            continue
        seen.add(record["plan"])
        prompt = samples[0]["prompt"]
        same = [sample for sample in samples if sample["prompt"] == prompt]
        shown.append(
            {
                "plan": record["plan"],
                "prompt": prompt,
                "before": same[0]["text"],
                "after": same[-1]["text"],
            }
        )
    return shown


def act(asked: dict[str, Any]) -> dict[str, str]:
    """Stop what runs, or carry on with what was cut off; {} or what was wrong."""
    from qwen_ui.train.compare import begin, read_comparison, stop_all

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
    """The comparison as Markdown, or as one HTML file with the curves of its runs."""
    from qwen_ui.train.compare import read_comparison, results
    from qwen_ui.train.verdict import markdown, rows_of

    comparison = read_comparison(str(asked.get("name", "")))
    if asked.get("format") == "markdown":
        return markdown(rows_of(results(comparison)), " vs ".join(comparison.labels))
    from qwen_ui.paths import runs_folder
    from qwen_ui.train.index import glances
    from qwen_ui.ui.runs_report import report as runs_report

    runs = comparison.runs
    return runs_report(runs, [r for r in glances(runs_folder()) if r["run"] in set(runs)])
