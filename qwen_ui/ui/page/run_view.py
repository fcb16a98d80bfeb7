"""The live view of one run: progress, curves, samples, movement; drawn by `static/run_view.js`.

The view owns its DOM. It asks `poll` for what is new since its offset, so that an update costs the
same after a hundred steps and after a hundred thousand, and plotly.js extends its lines in place.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from pydantic import NonNegativeInt

from qwen_ui.files import read_json
from qwen_ui.paths import runs_folder
from qwen_ui.runs import (
    STOP,
    Axis,
    Carry,
    Event,
    RunFold,
    Status,
    annotation_of,
    fold_from,
    lines_of,
    recorded_launch,
    recorded_placement,
    recorded_plan,
    recorded_settings,
    run_folder,
    shown_lines,
    status_of,
    tells_apart,
)
from qwen_ui.ui.page.api import server_function
from qwen_ui.ui.page.modules import mounted_by
from qwen_ui.ui.page.run_actions import act, csv, log, settings
from qwen_ui.ui.page.run_zoom import Smoothing, zoomed
from qwen_ui.ui.page.templates import mount_point
from qwen_ui.visits import is_own
from qwen_ui.workers import ADVICE, queue_position

MOST_SAMPLES = MOST_MOVEMENTS = 40
MOST_LOGS = 20
PHASE_KEYS = {"phase", "done", "total"}
OF_ANOTHER = "a run of another visitor"


def build_run_view(elem_id: str) -> gr.HTML:
    """The view of the run that its value names; "" shows that there is none yet."""
    return gr.HTML(
        "",
        html_template=mount_point("qr-view"),
        js_on_load=mounted_by("page/run_view.js"),
        apply_default_css=False,
        elem_id=elem_id,
        server_functions=[server_function(f) for f in (poll, zoomed, act, settings, log, csv)],
    )


def poll(
    run: str,
    offset: NonNegativeInt = 0,
    carry: dict[str, Any] | None = None,
    smoothing: Smoothing = 0.9,
    axis: Axis = "step",
) -> dict[str, Any]:
    """What is new in a run since `offset`: the view's only question while it watches.

    Args:
        run: its name.
        offset: bytes of the log that were read.
        carry: what the last answer said.
        smoothing: share of the past in the running mean of the loss.
        axis: what the lines' x is.
    """
    folder = run_folder(run)
    # The status first: when it says that the run is over, all of its events are there to be read.
    status = status_of(folder)
    fold, end = fold_from(folder, offset)
    state = Carry.of(carry)
    lines = lines_of(fold, state, axis=axis, smoothing=smoothing)
    state.heed(fold.phase)
    return {
        "run": folder.name,
        "offset": end,
        "carry": state.record(),
        "lines": shown_lines(lines),
        # A resumed run went back to its checkpoint: the view draws it anew from the start.
        "again": offset > 0 and bool(fold.start),
        **_facts(fold),
        **progress(folder, status, state),
    }


def progress(folder: Path, status: Status, carry: Carry) -> dict[str, Any]:
    """Where a run stands: for the progress bar and the sentence below it."""
    step = int(carry.step) or status.step
    per_step = carry.elapsed / carry.step if carry.step else None
    return {
        "status": status.status,
        "reason": status.reason,
        "step": step,
        "steps": status.steps,
        "elapsed": carry.elapsed,
        "remaining": carry.remaining(status.steps) if status.status == "running" else None,
        "seconds_per_step": per_step,
        "tokens_per_second": carry.tokens / carry.elapsed if carry.elapsed else None,
        "heartbeat_age": max(0.0, time.time() - status.heartbeat) if status.heartbeat else None,
        "stopping": not status.over and (folder / STOP).exists(),
        "on": places_of(folder),
        "place": _place(folder) if status.status == "queued" else None,
        "advice": read_json(folder / ADVICE) if status.over else None,
        "title": title_of(folder),
        "meta": annotation_of(folder),
    }


def places_of(folder: Path) -> list[str]:
    """Where a run is, as a person calls it: its job of Slurm's, or the GPUs that it was given."""
    placement = recorded_placement(folder)
    if placement is not None:
        return [placement.label]
    launched = recorded_launch(folder)
    return [gpu.label for gpu in launched.gpus] if launched else []


def title_of(folder: Path) -> str:
    """The name that a person gave, else what trains and where."""
    name: str = annotation_of(folder)["name"]
    plan = recorded_plan(folder).name or "plan"
    return name or f"{plan} · {Path(str(recorded_settings(folder).get('model') or '')).name}"


def _facts(fold: RunFold) -> dict[str, Any]:
    """What is not a line: the start, samples, movements, the last epoch, the end."""
    samples = _named(fold.samples, ("step", "prompt", "text"))
    # The first ones are what the run is compared with.
    if len(samples) > MOST_SAMPLES:
        samples = samples[:4] + samples[4 - MOST_SAMPLES :]
    logs = [event for event in fold.logs if event.get("level") != "debug"]
    return {
        "start": fold.start or None,
        "phase": _phase(fold.phase),
        "movements": [
            {"step": event.get("step"), "blocks": event.get("blocks") or []}
            for event in fold.movements[-MOST_MOVEMENTS:]
        ],
        "epoch": fold.last("epoch"),
        "end": fold.end or None,
        "samples": samples,
        "logs": _named(logs[-MOST_LOGS:], ("level", "message")),
        "trials": _named(fold.trials, ("rate", "loss", "steps")),
        "unsure": _is_unsure(fold.end),
    }


def _phase(event: Event) -> dict[str, Any] | None:
    if not event.get("phase"):
        return None
    return {"done": 0, "total": 0} | {key: event[key] for key in event.keys() & PHASE_KEYS}


def _is_unsure(end: Event) -> bool:
    """Whether a run ended with a gain that its held-out samples cannot tell from nothing."""
    before, after = end.get("eval_loss_before"), end.get("eval_loss_after")
    error = end.get("gain_error")
    if before is None or after is None or error is None:
        return False
    return not tells_apart(before - after, error)


def _named(events: Sequence[Event], keys: Sequence[str]) -> list[dict[str, Any]]:
    return [{key: event.get(key) for key in keys} for event in events]


def _place(folder: Path) -> dict[str, Any]:
    """The titles of the runs that have the device, and how many wait before this one."""
    running, before = queue_position(folder.name)
    return {
        "running": [
            title_of(runs_folder() / name) if is_own(runs_folder() / name) else OF_ANOTHER
            for name in running
            if name != folder.name
        ],
        "before": len(before),
    }
