"""The Runs tab: all runs in a table, one opened, several laid over each other.

Table and overlay own their DOM (`assets/runs.js`, `assets/overlay.js`); what is opened is shown by
the same view that the Train tab has.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr

from qwen_ui.errors import UserError
from qwen_ui.ui.page.header import Header
from qwen_ui.ui.page.run_view import run_view, serve_plotly
from qwen_ui.ui.page.session import Session


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
        js_on_load="window.QwenRuns.mount({ element, props, server });",
        apply_default_css=False,
        elem_id="qr-table",
        server_functions=[listing, overlaid, remove, exported],
        plotly=serve_plotly(),
    )
    view = run_view("qr-opened")
    return RunsTab(table, view)


def wire(tab: RunsTab, header: Header, session: Session) -> None:
    """Open the run that is chosen in the table."""
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    tab.table.change(lambda run: run or "", tab.table, tab.view, **quiet)


def listing(asked: dict[str, Any]) -> dict[str, Any]:
    """What is new in the list of runs since `seen`, as the answer before said (`train.index`)."""
    from qwen_ui.paths import runs_folder
    from qwen_ui.runs.index import changes

    found = changes(runs_folder(), str(asked.get("seen") or ""))
    return asdict(found)


def overlaid(asked: dict[str, Any]) -> dict[str, Any]:
    """One figure's lines of the runs that are asked for, and how their settings differ."""
    from qwen_ui.runs.curves import AXES, FIGURES
    from qwen_ui.runs.side_by_side import differences, overlay

    runs = [str(run) for run in asked.get("runs") or []]
    axis = asked.get("axis") if asked.get("axis") in AXES else "step"
    figure = asked.get("figure") if asked.get("figure") in FIGURES else "loss"
    wanted = ("smooth", "eval") if figure == "loss" else (str(figure),)
    try:
        drawn = overlay(runs, axis=str(axis), only=wanted)
        return {"runs": drawn, "differences": differences(runs)}
    except UserError as error:
        return {"error": str(error)}


def remove(asked: dict[str, Any]) -> dict[str, str]:
    """Delete runs; {} or what was wrong with the first that could not be."""
    from qwen_ui.runs.folder import delete_run

    try:
        for run in asked.get("runs") or []:
            delete_run(str(run))
    except UserError as error:
        return {"error": str(error)}
    return {}


def exported(asked: dict[str, Any]) -> str:
    """Runs as one CSV or one HTML report."""
    from qwen_ui.paths import runs_folder
    from qwen_ui.runs.index import glances
    from qwen_ui.runs.side_by_side import runs_csv

    runs = [str(run) for run in asked.get("runs") or []]
    if asked.get("format") == "csv":
        return runs_csv(runs)
    from qwen_ui.ui.runs.report import report

    return report(runs, [one for one in glances(runs_folder()) if one["run"] in set(runs)])
