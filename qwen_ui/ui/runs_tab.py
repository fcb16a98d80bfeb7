"""The Runs tab: all runs in a table, one opened, several laid over each other.

Table and overlay own their DOM (`assets/runs.js`); what is opened is shown by the same view that
the Train tab has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from qwen_ui.errors import UserError
from qwen_ui.ui.charts import run_view, serve_plotly
from qwen_ui.ui.header import Header
from qwen_ui.ui.session import Session


@dataclass(frozen=True, slots=True)
class RunsTab:
    """The tab's components.

    Attributes:
        table: the runs, the overlay of those that are ticked; its value is the run to open.
        view: the run that is opened.
    """

    table: gr.HTML
    view: gr.HTML


def build(session: Session) -> RunsTab:
    """The tab's components, not yet connected."""
    table = gr.HTML(
        "",
        html_template='<div class="qr-list" data-plotly="${plotly}"></div>',
        js_on_load="window.QwenRuns.mount({ element, props, server, trigger });",
        apply_default_css=False,
        elem_id="qr-table",
        server_functions=[listing, overlaid, modify, exported],
        plotly=serve_plotly(),
    )
    view = run_view("qr-opened")
    return RunsTab(table, view)


def wire(tab: RunsTab, header: Header, session: Session) -> None:
    """Open the run that is chosen in the table."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    tab.table.change(lambda run: run or "", tab.table, tab.view, **quiet)


def listing(_: Any) -> list[dict[str, Any]]:
    """Every run's record, the newest first (`train.index`)."""
    from qwen_ui.paths import runs_folder
    from qwen_ui.train.index import glances

    return glances(runs_folder())


def overlaid(asked: dict[str, Any]) -> dict[str, Any]:
    """Lines and differences of the runs that are asked for."""
    from qwen_ui.train.curves import AXES
    from qwen_ui.train.overlay import differences, overlay

    runs = [str(run) for run in asked.get("runs") or []]
    axis = asked.get("axis") if asked.get("axis") in AXES else "step"
    try:
        return {"runs": overlay(runs, axis=str(axis)), "differences": differences(runs)}
    except UserError as error:
        return {"error": str(error)}


def modify(asked: dict[str, Any]) -> dict[str, str]:
    """Name, tag, note, retry or delete a run; {} or what was wrong."""
    from qwen_ui.train import launch
    from qwen_ui.train.folders import annotate, delete_run

    run = str(asked.get("run", ""))
    try:
        match asked.get("action"):
            case "annotate":
                fields = {key: asked[key] for key in ("name", "tags", "note") if key in asked}
                annotate(run, **fields)
            case "retry":
                return {"run": launch.retry(run)}
            case "delete":
                delete_run(run)
    except UserError as error:
        return {"error": str(error)}
    return {}


def exported(asked: dict[str, Any]) -> str:
    """Runs as one CSV or one HTML report."""
    from qwen_ui.train.overlay import runs_csv

    runs = [str(run) for run in asked.get("runs") or []]
    if asked.get("format") == "csv":
        return runs_csv(runs)
    from qwen_ui.ui.runs_report import report

    return report(runs, [record for record in listing(None) if record["run"] in set(runs)])
