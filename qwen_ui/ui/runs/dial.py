"""Turn it: a finished run at other strengths, what it gains there and what it forgets.

The DOM is `static/dial.js`'s; a process of its own measures (`compare.start_dial`).
"""

from __future__ import annotations

from typing import Annotated, Any

import gradio as gr
from pydantic import Field

from qwen_ui.compare import DialRequest, dial_state, start_dial, token_changes_of
from qwen_ui.runs import DELTA_NAME, recorded_settings, run_folder, status_of
from qwen_ui.ui.page import mount_point, mounted_by, server_function
from qwen_ui.visits import refuse


def build_dial() -> gr.HTML:
    """The section for the run that its value names; "" shows nothing."""
    return gr.HTML(
        "",
        html_template=mount_point("qr-dial"),
        js_on_load=mounted_by("runs/dial.js"),
        apply_default_css=False,
        elem_id="qr-dial",
        server_functions=[
            server_function(f) for f in (look_at_dial, look_at_changes, measure_dial)
        ],
    )


def look_at_dial(run: str) -> dict[str, Any]:
    """What was measured of a run, whether more is coming, and what the run is.

    Raises:
        RunError: no such run.
    """
    folder = run_folder(run)
    settings = recorded_settings(folder)
    state = dial_state(run)
    return {
        "over": status_of(folder).over,
        "delta": (folder / DELTA_NAME).is_file(),
        "model": str(settings.get("model") or ""),
        "keep": bool(settings.get("keep")),
        "record": state.record,
        "going_on": state.going_on,
        "failed": state.failed,
    }


def look_at_changes(run: str) -> dict[str, Any]:
    """Where a run changed its held-out text, token by token; {} before it is measured.

    Raises:
        RunError: no such run.
    """
    return token_changes_of(run)


def measure_dial(
    run: str,
    max_forgetting: Annotated[float, Field(ge=0, le=1000)] | None = None,
    by_block: bool = False,
) -> dict[str, Any]:
    """Begin to measure a run at several strengths.

    Raises:
        RunError: it cannot be measured now; see `compare.start_dial`.
    """
    run_folder(run)
    refuse("Measuring a run at other strengths")
    start_dial(run, DialRequest(most_forgetting=max_forgetting, by_block=by_block))
    return {}
