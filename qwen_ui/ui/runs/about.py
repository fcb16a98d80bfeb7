"""About an opened run: all of its settings, versions, where it comes from, how to repeat it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gradio as gr

from qwen_ui.compare import comparisons_with
from qwen_ui.errors import UserError
from qwen_ui.files import read_json
from qwen_ui.formats import EXACT_DIGITS, rate_text, rounded
from qwen_ui.runs import (
    DELTA_NAME,
    SETTING_PLACES,
    Event,
    command_line,
    fold_run,
    lineage_of,
    recorded_settings,
    run_folder,
    setting_field,
    setting_label,
    train_command,
)
from qwen_ui.ui.page import mount_point, mounted_by, server_function
from qwen_ui.visits import current_visit

ENVIRONMENT = "environment.json"
GROUPS = {
    "model": "Model",
    "data": "Data",
    "optimization": "Optimization",
    "evaluation": "Evaluation",
    "resources": "Resources",
}
LABELS = {"model": "Model", "data": "Training data"}
VERSIONS = {"python": "Python", "qwen_ui": "Qwen UI", "commit": "Commit", "platform": "Platform"}
Rows = list[tuple[str, str]]


def build_about() -> gr.HTML:
    """The section for the run that its value names; "" shows nothing."""
    return gr.HTML(
        "",
        html_template=mount_point("qr-about"),
        js_on_load=mounted_by("runs/about_run.js"),
        apply_default_css=False,
        elem_id="qr-about",
        server_functions=[server_function(about)],
    )


def about(run: str) -> dict[str, Any]:
    """What an opened run shows of itself.

    Returns:
        `short` (the settings that most is asked of, in a line), `groups` of {title, rows of
        (label, value)}, `lineage` (sentences, with the `run` that is meant or ""), the `command`,
        the `folder`, and `base`: the model that its delta can be verified against, or "".

    Raises:
        RunError: no such run.
    """
    folder = run_folder(run)
    start = fold_run(folder).start
    settings = recorded_settings(folder)
    groups = [
        {"title": title, "rows": _settings_of(group, settings, start)}
        for group, title in GROUPS.items()
    ]
    groups += [
        {"title": "What it met", "rows": _met(start)},
        {"title": "Versions", "rows": _versions(folder)},
    ]
    try:
        command = command_line(train_command(folder))
    except UserError as error:
        command = f"# {error}"
    return {
        "short": _short(settings, start, folder),
        "groups": [group for group in groups if group["rows"]],
        "lineage": _lineage(folder, settings, start),
        "command": command,
        "folder": str(folder),
        "base": _base(settings, folder),
    }


def _base(settings: dict[str, Any], folder: Path) -> str:
    can = current_visit() is None and (folder / DELTA_NAME).is_file()
    return str(settings.get("model") or "") if can else ""


def _short(settings: dict[str, Any], start: Event, folder: Path) -> str:
    rate = start.get("learning_rate") or settings.get("learning_rate")
    packages = read_json(folder / ENVIRONMENT).get("packages")
    torch = packages.get("torch") if isinstance(packages, dict) else None
    parts = [
        f"learning rate {rate_text(rate)}" if isinstance(rate, int | float) else "",
        f"seed {settings.get('seed', 0)}",
        f"batch {settings.get('batch_size', '?')} of {settings.get('sequence_length', '?')} tokens",
        f"data {Path(str(settings.get('data') or '')).name}",
        f"torch {torch}" if torch else "",
    ]
    return " · ".join(part for part in parts if part)


def _settings_of(group: str, settings: dict[str, Any], start: Event) -> Rows:
    rows = []
    for name, (place, _) in SETTING_PLACES.items():
        if place != group:
            continue
        value = settings.get(name, setting_field(name).default)
        text = _text(value)
        if name == "learning_rate" and start.get("learning_rate") is not None:
            rate = rate_text(start["learning_rate"])
            text = f"{rate} ({start.get('learning_rate_source') or 'given'})"
        rows.append((LABELS.get(name) or setting_label(name), text))
    return rows


def _met(start: Event) -> Rows:
    """What the worker found: device, examples and fingerprints."""
    shown = {
        "device_name": "Device",
        "dtype": "Dtype in memory",
        "threads": "Threads",
        "training_examples": "Training sequences",
        "evaluation_examples": "Held-out sequences",
        "training_fingerprint": "Training tokens, digest",
        "evaluation_fingerprint": "Held-out tokens, digest",
        "fingerprint": "Weights of the base, digest",
    }
    found = ((label, start.get(key)) for key, label in shown.items())
    return [(label, str(value)) for label, value in found if value is not None]


def _versions(folder: Path) -> Rows:
    found = read_json(folder / ENVIRONMENT)
    packages = found.get("packages")
    rows = list(packages.items()) if isinstance(packages, dict) else []
    rows += [(label, found.get(key)) for key, label in VERSIONS.items()]
    return [(str(name), str(value)) for name, value in rows if value]


def _lineage(folder: Path, settings: dict[str, Any], start: Event) -> list[dict[str, str]]:
    """Where the run comes from: {text, run}, run "" where none is meant."""
    found, said = lineage_of(folder), []
    if found.retry_of:
        said.append({"text": "A retry of", "run": found.retry_of})
    if finder := settings.get("learning_rate_run"):
        said.append({"text": "Takes the learning rate that was found by", "run": str(finder)})
    if found.resumed:
        last = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.resumed[-1]))
        times = "once" if len(found.resumed) == 1 else f"{len(found.resumed)} times"
        step = int(start.get("step") or 0)
        where = f", from step {step:,}" if step else ""
        said.append({"text": f"Resumed {times}, last on {last}{where}.", "run": ""})
    said += [
        {"text": f"A member of the comparison {name}.", "run": ""}
        for name in comparisons_with(folder.name)
    ]
    return said


def _text(value: Any) -> str:
    if value is None:
        return "automatic"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value)) or "none"
    return rounded(value, EXACT_DIGITS) if isinstance(value, float) else str(value)
