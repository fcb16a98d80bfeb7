"""Verify a checkpoint against the model that is open: any tool's result, tensor by tensor.

The DOM is `static/verifying.js`'s; the work is a process's (`verify_process`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import gradio as gr
from pydantic import StringConstraints

from qwen_ui.errors import ModelError
from qwen_ui.freeze import FreezePlan, resolve
from qwen_ui.model.weights import why_no_weights
from qwen_ui.ui.inspect.verify_process import Verifications
from qwen_ui.ui.page import Session, mount_point, mounted_by, server_function
from qwen_ui.visits import current_visit, refuse

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy

MOST_LISTED = 200
LISTS = (
    *("frozen_but_changed", "trainable_but_unchanged", "inert", "missing", "unexpected"),
    *("unchanged",),
)
Named = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4096)]


def build_verifying(value: str, session: Session) -> gr.HTML:
    """The section; its value names the model and the plan in force (JSON)."""
    held = Verifications()

    def verify_begin(anatomy: Anatomy, tuned: Named, plan: str = "") -> dict[str, Any]:
        """Begin to verify a checkpoint; `key` is what to ask for it by."""
        refuse("Verifying a checkpoint")
        if not tuned:
            raise ModelError("Name a checkpoint: a folder, a safetensors file, a run or a hub id.")
        if anatomy.weights_folder is None:
            raise ModelError(why_no_weights(anatomy))
        if plan:
            resolve(FreezePlan.from_json(plan), anatomy)
        return {"key": held.begin(anatomy.source, tuned, plan)}

    def verify_latest(source: str) -> dict[str, Any]:
        """The `key` of the last verification of this model, and what was `tuned`; {} for none."""
        return {} if current_visit() is not None else {**held.latest(source)}

    def verify_state(key: str) -> dict[str, Any]:
        """How far a verification is, or what it found, its lists cut to what a page can show."""
        refuse("Verifying a checkpoint")
        state = held.state(key)
        return {"record": _shortened(state["record"])} if "record" in state else state

    def verify_report(key: str) -> dict[str, Any]:
        """What was found, as `markdown` and as a `record`, whole."""
        refuse("Verifying a checkpoint")
        return {"markdown": held.report(key), **held.state(key)}

    def verify_stop(key: str) -> dict[str, Any]:
        """End a verification."""
        refuse("Verifying a checkpoint")
        held.stop(key)
        return {}

    return gr.HTML(
        value,
        html_template=mount_point("qi-verify"),
        js_on_load=mounted_by("inspect/verifying.js"),
        apply_default_css=False,
        elem_id="qi-verify",
        server_functions=[
            server_function(verify_begin, open_model=session.anatomy),
            *(
                server_function(f)
                for f in (verify_latest, verify_state, verify_report, verify_stop)
            ),
        ],
    )


def _shortened(record: dict[str, Any]) -> dict[str, Any]:
    """The record with the beginnings of its lists, and how long each is (`counts`)."""
    counts = {name: len(record[name]) for name in (*LISTS, "changed", "recast")}
    short = {name: record[name][:MOST_LISTED] for name in (*LISTS, "changed")}
    short["unchanged"] = []
    kept = ("kept", "form", "problems", "grid", "plan")
    return {**{name: record[name] for name in kept}, **short, "counts": counts}
