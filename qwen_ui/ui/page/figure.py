"""A figure of plotly's in the page, drawn by the page's own plotly.js (`static/figure.js`).

`gr.Plot` would load gradio's copy of the library, four times the size, on every opening.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from qwen_ui.ui.page.modules import mounted_by
from qwen_ui.ui.page.templates import mount_point


def build_figure(elem_id: str, *, name: str, visible: bool = True) -> gr.HTML:
    """Shows the figure that its value holds (`figure_value`); "" shows nothing.

    Args:
        name: what the picture is of, for those who do not see it.
    """
    return gr.HTML(
        "",
        html_template=mount_point("q-figure"),
        js_on_load=mounted_by("page/figure.js"),
        apply_default_css=False,
        elem_id=elem_id,
        visible=visible,
        figure_name=name,
    )


def figure_value(figure: Any) -> str:
    """A figure of the plotly package as the value of such a component."""
    # The look is ours: plotly's own template would be 7 kB on every figure.
    return str(figure.update_layout(template="none").to_json())
