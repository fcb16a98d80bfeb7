"""The bar at the foot of a tab that launches runs: drawn by `static/launch_bar.js`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from qwen_ui.ui.page.event_options import QUIET
from qwen_ui.ui.page.modules import mounted_by
from qwen_ui.ui.page.templates import mount_point

BAR = "q-bar"


def build_launch_state(elem_id: str, launches: Sequence[str], view: str) -> gr.HTML:
    """What stands in a launch button's place while what it launched runs.

    Args:
        launches: ids of the buttons that launch, the main one first.
        view: the id of the component that shows what they launched.
    """
    return gr.HTML(
        "",
        html_template=mount_point("q-launched"),
        js_on_load=mounted_by("page/launch_bar.js"),
        apply_default_css=False,
        elem_id=elem_id,
        launches=" ".join(launches),
        view=view,
    )


def refused(event: Any, elem_id: str) -> None:
    """Where what this event asked for is refused, let the button launch again."""
    event.failure(
        None,
        None,
        None,
        js=f"() => {{ document.querySelector('#{elem_id} .q-launched')?.bar.refused(); }}",
        **QUIET,
    )
