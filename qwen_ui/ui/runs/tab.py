"""The Runs tab: all runs in a table, one opened, several laid over each other.

Table and overlay own their DOM (`static/run_table.js`, `overlay.js`); what is opened is shown by
the same view that the Train tab has.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any, Literal

import gradio as gr
import orjson

from qwen_ui.compare import comparison_members
from qwen_ui.paths import runs_folder
from qwen_ui.runs import (
    Axis,
    Figure,
    changed_rows,
    delete_run,
    run_curves,
    run_rows,
    runs_csv,
    setting_differences,
)
from qwen_ui.ui.page import (
    QUIET,
    Header,
    Place,
    Session,
    Smoothing,
    build_run_view,
    mount_point,
    mounted_by,
    server_function,
)
from qwen_ui.ui.runs.about import build_about
from qwen_ui.ui.runs.dial import build_dial
from qwen_ui.ui.runs.live_grid import build_live_grid
from qwen_ui.ui.runs.playground import build_playground
from qwen_ui.ui.runs.report import report
from qwen_ui.ui.runs.take_away import build_take_away


@dataclass(frozen=True, slots=True)
class RunsTab:
    """The tab's components.

    Attributes:
        table: the runs, the overlay of those that are ticked; its value is the run to open.
        view: the run that is opened.
        live: its cells, picture by picture.
        dial: the run at other strengths.
        about: its settings, its origin, how to repeat it.
        talk: base and runs asked the same thing.
        take: what it left, for other places.
    """

    table: gr.HTML
    view: gr.HTML
    live: gr.HTML
    dial: gr.HTML
    about: gr.HTML
    talk: gr.HTML
    take: gr.HTML


def build(session: Session) -> RunsTab:
    """The tab's components, not yet connected."""
    table = gr.HTML(
        "",
        html_template=mount_point("qr-list"),
        js_on_load=mounted_by("runs/run_table.js"),
        apply_default_css=False,
        elem_id="qr-table",
        server_functions=[server_function(f) for f in (listing, overlaid, remove, exported)],
    )
    view = build_run_view("qr-opened")
    # In this order below each other.
    sections = (build_live_grid(), build_dial(), build_about(), build_playground())
    return RunsTab(table, view, *sections, build_take_away())


def wire(tab: RunsTab, header: Header, session: Session) -> None:
    """Open the run that is chosen in the table."""
    tab.table.change(lambda run: run or "", tab.table, tab.view, **QUIET)
    # A run is opened from its view as well: a retry opens the new one.
    sections = [tab.live, tab.dial, tab.about, tab.talk, tab.take]
    tab.view.change(lambda run: (run or "",) * len(sections), tab.view, sections, **QUIET)


def listing(seen: str = "", members_seen: str = "") -> dict[str, Any]:
    """What is new in the list of runs since the answer before (`runs.index`).

    Args:
        seen, members_seen: as that answer said.

    Returns:
        As `ChangedRows`; `members`, the comparison of each run that has one, None where that is
        as it was.
    """
    members = comparison_members()
    version = hashlib.sha256(orjson.dumps(members)).hexdigest()[:16]
    return {
        **asdict(changed_rows(runs_folder(), seen)),
        "members": None if version == members_seen else members,
        "members_seen": version,
    }


def overlaid(
    runs: list[str],
    axis: Axis = "step",
    figure: Figure = "loss",
    smoothing: Smoothing = 0.9,
    between: tuple[Place, Place] | None = None,
) -> dict[str, Any]:
    """One figure's lines of these runs, and how their settings differ.

    Args:
        smoothing: share of the past in the running mean of the loss.
        between: the part of the axis that is looked at, thinned by itself.
    """
    wanted = ("smooth", "eval") if figure == "loss" else (figure,)
    return {
        "runs": run_curves(runs, axis=axis, smoothing=smoothing, only=wanted, between=between),
        "differences": setting_differences(runs),
    }


def remove(runs: list[str]) -> dict[str, Any]:
    """Delete runs, up to the first that cannot be deleted."""
    for run in runs:
        delete_run(run)
    return {}


def exported(runs: list[str], format: Literal["csv", "html"]) -> dict[str, str]:
    """Runs as one CSV or one HTML report."""
    if format == "csv":
        return {"text": runs_csv(runs)}
    chosen = [row for row in run_rows(runs_folder()) if row["run"] in set(runs)]
    return {"text": report(runs, chosen)}
