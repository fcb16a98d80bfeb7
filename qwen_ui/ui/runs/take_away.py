"""Take it away: a run's delta as a file, merged, as an adapter, as lines of PyTorch, on the hub.

What takes long is done by a process of its own (`workers.start_export`), whose state any page
finds.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import gradio as gr
from pydantic import Field

from qwen_ui.errors import RunError
from qwen_ui.runs import DELTA_NAME, recorded_settings, run_folder, status_of
from qwen_ui.ui.page import mount_point, mounted_by, server_function
from qwen_ui.visits import refuse
from qwen_ui.workers import default_output, export_states, start_export

TAKING = "Taking a run away"
Short = Annotated[str, Field(max_length=1000)]


def build_take_away() -> gr.HTML:
    """The section for the run that its value names; "" shows nothing."""
    functions = (take_state, take, take_delta, take_snippet)
    return gr.HTML(
        "",
        html_template=mount_point("qr-take"),
        js_on_load=mounted_by("runs/take_away.js"),
        apply_default_css=False,
        elem_id="qr-take",
        server_functions=[server_function(f) for f in functions],
    )


def take_state(run: str) -> dict[str, Any]:
    """What there is to take, and how what was asked for stands.

    Raises:
        RunError: no such run.
    """
    folder = run_folder(run)
    delta = folder / DELTA_NAME
    return {
        "over": status_of(folder).over,
        "delta": {"path": str(delta), "bytes": delta.stat().st_size} if delta.is_file() else None,
        "adapters": bool(recorded_settings(folder).get("lora_rank")),
        "outputs": {kind: str(default_output(run, kind)) for kind in ("merge", "adapter")},
        "exports": {kind: asdict(state) for kind, state in export_states(run).items()},
    }


def take(
    run: str,
    kind: Literal["merge", "adapter", "push"],
    output: Short = "",
    strength: Short = "1",
    repo: Short = "",
    merged: bool = False,
    public: bool = False,
) -> dict[str, Any]:
    """Begin to merge a run, write its adapter, or push it; see `workers.start_export`."""
    refuse(TAKING)
    start_export(
        run,
        kind,
        output=output,
        strength=strength,
        repo=repo.strip(),
        merged=merged,
        public=public,
    )
    return {}


def take_delta(run: str) -> dict[str, str]:
    """The `address` that the delta is downloaded from, relative to the page, and the file's `name`.

    Raises:
        RunError: the run left none.
    """
    delta = run_folder(run) / DELTA_NAME
    refuse(TAKING)
    if not delta.is_file():
        raise RunError("This run left no trained tensors, so there is nothing to download.")
    # This one file, behind the page's login as every file of gradio's.
    gr.set_static_paths([delta])
    return {"address": f"gradio_api/file={delta.as_posix()}", "name": f"{run}.safetensors"}


def take_snippet(run: str) -> dict[str, str]:
    """Lines of plain PyTorch that load the base and put the delta on it.

    Raises:
        RunError: the run left no delta.
        ModelError: its base cannot be opened.
    """
    from qwen_ui.engine import loadable_name, loading_snippet, read_delta  # noqa: PLC0415  torch
    from qwen_ui.model import open_within_limits  # noqa: PLC0415

    file = run_folder(run) / DELTA_NAME
    refuse(TAKING)
    delta = read_delta(file)
    base = loadable_name(open_within_limits(str(delta.settings.get("model") or "")))
    text = loading_snippet(base, str(Path(file).resolve()), adapters=delta.adapters)
    return {"text": text}
