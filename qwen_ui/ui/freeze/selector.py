"""The selector: one `gr.HTML` whose DOM its own JavaScript owns (static/freeze_tab.js).

The page gives an empty shell; the model's structure is fetched once through a server function, the
states live in a `Uint8Array` of the browser, rows are drawn only where they are in view. Nothing of
the tree stands in the component's props: gradio compares those as JSON at every write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from qwen_ui.freeze import default_layers, preset_plans
from qwen_ui.freeze.cost import optimizer_names
from qwen_ui.ui.freeze.actions import server_functions
from qwen_ui.ui.page import mounted_by, render

if TYPE_CHECKING:
    from qwen_ui.ui.page import Session

_LABELS = {"bitfit": "BitFit", "mlp": "MLP"}
_OPTIMIZERS = {
    "adamw": "AdamW",
    "adamw_8bit": "AdamW, 8 bits",
    "sgd": "SGD",
    "sgd_momentum": "SGD with momentum",
}


def selector(session: Session) -> gr.HTML:
    """The component; see `freeze_tab` for its value."""
    return gr.HTML(
        "",
        html_template=shell(),
        js_on_load=mounted_by("freeze/freeze_tab.js"),
        apply_default_css=False,
        elem_id="qs-main",
        server_functions=server_functions(session),
    )


def edits() -> gr.HTML:
    """What the browser tells Python, apart from the selector's value; see `freeze_tab`."""
    return gr.HTML(
        "",
        html_template=render("freeze/edits.html"),
        js_on_load=mounted_by("freeze/edits.js", fires_input=True),
        apply_default_css=False,
        elem_id="qs-edits",
    )


def shell() -> str:
    """The DOM before any model is there: selector, price of a step, exports."""
    return render(
        "freeze/selector.html",
        presets={name: _LABELS.get(name, name.capitalize()) for name in preset_plans()},
        layers={name: default_layers(name) for name in preset_plans()},
        optimizers={name: _OPTIMIZERS.get(name, name) for name in optimizer_names()},
    )
