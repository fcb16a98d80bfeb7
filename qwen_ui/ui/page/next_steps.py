"""What follows on a tab: the bar under Freeze, and the guide (keys, palette, first visit)."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from qwen_ui.freeze import TOP_LAYERS
from qwen_ui.model import preset_models
from qwen_ui.paths import runs_folder
from qwen_ui.runs import run_names
from qwen_ui.ui.page.api import server_function
from qwen_ui.ui.page.guides import guides
from qwen_ui.ui.page.launch_bar import BAR
from qwen_ui.ui.page.modules import mounted_by
from qwen_ui.ui.page.run_view import title_of
from qwen_ui.ui.page.saved_plans import saved_plan_names
from qwen_ui.ui.page.templates import mount_point
from qwen_ui.visits import is_own

MOST_LISTED = 200
PRESETS = ("attention", "bitfit", "mlp", "norms", "embeddings", "full")


def build_next_steps() -> gr.HTML:
    """The bar at the foot of Freeze: train the plan in force, or compare it with another."""
    with gr.Row(elem_id="qs-bar", elem_classes=BAR):
        return gr.HTML(
            "",
            html_template=mount_point("q-next"),
            js_on_load=mounted_by("page/next_steps.js"),
            apply_default_css=False,
            elem_id="qs-next",
            server_functions=[server_function(comparable)],
        )


def build_guide() -> gr.HTML:
    """The button for keys and help, the palette, and what a first visit is told."""
    return gr.HTML(
        "",
        html_template=mount_point("q-guide"),
        js_on_load=mounted_by("page/guide.js"),
        apply_default_css=False,
        elem_id="q-guide",
        padding=False,
        server_functions=[server_function(openable)],
        guides=json.dumps(guides()),
    )


def comparable() -> dict[str, Any]:
    """What a plan can be compared with: presets, by what they train, and the saved plans."""
    return {"presets": list(PRESETS), "layers": TOP_LAYERS, "saved": saved_plan_names()}


def openable() -> dict[str, Any]:
    """What the palette opens beside tabs: models, presets of plans, saved plans, the last runs."""
    own = [name for name in run_names()[:MOST_LISTED] if is_own(runs_folder() / name)]
    return {
        "models": list(preset_models()),
        "presets": list(PRESETS),
        "saved": saved_plan_names(),
        "runs": [{"run": name, "title": title_of(runs_folder() / name)} for name in own],
    }
