"""What the view of a run may ask for beside its events: actions, settings, log, CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from qwen_ui import workers
from qwen_ui.runs import (
    LOG_NAME,
    annotate,
    csv_of,
    delete_run,
    fold_run,
    log_tail,
    recorded_settings,
    run_folder,
    setting_choices,
    setting_field,
    setting_label,
)

Action = Literal["stop", "kill", "resume", "retry", "find_rate", "describe", "delete"]
# What a retry may change: the settings that a person tries.
EDITABLE = (
    *("steps", "learning_rate", "batch_size", "gradient_accumulation_steps", "sequence_length"),
    *("seed", "schedule", "warmup_steps", "weight_decay", "gradient_clip", "eval_every"),
    *("checkpoint_every", "early_stopping_patience", "prefix", "dtype", "device"),
)


def act(
    run: str,
    action: Action,
    changes: dict[str, str] | None = None,
    name: str | None = None,
    tags: list[str] | None = None,
    note: str | None = None,
) -> dict[str, Any]:
    """Do something with a run; `run` of the answer is the new one where there is one.

    Args:
        changes: of settings, for `retry`.
        name, tags, note: for `describe`; what is None stays.
    """
    match action:
        case "stop":
            workers.stop(run)
        case "kill":
            workers.kill(run)
        case "resume":
            workers.resume(run)
        case "retry":
            return {"run": retry(run, changes or {})}
        case "find_rate":
            return {"run": workers.retry_at_found_rate(run)}
        case "describe":
            annotate(run, name=name, tags=tags, note=note)
        case "delete":
            delete_run(run)
    return {}


def retry(run: str, changes: dict[str, str]) -> str:
    """A new run with the settings of this one and these texts from a form in their place.

    Raises:
        SettingsError: a text is no value of its setting.
    """
    # An empty field means automatic. pydantic reads numbers from texts, and says which it cannot.
    given = {name: text or None for name, text in changes.items() if name in EDITABLE}
    return workers.retry(run, **given)


def settings(run: str) -> dict[str, Any]:
    """The settings that a retry may change: `name`, `label`, `value`, and `choices` or None."""
    recorded = recorded_settings(run_folder(run))
    found = [
        {
            "name": name,
            "label": setting_label(name),
            "value": recorded.get(name, setting_field(name).default),
            "choices": setting_choices(name),
        }
        for name in EDITABLE
    ]
    return {"settings": found}


def log(run: str, size: int = -1) -> dict[str, Any]:
    """The end of the worker's log: its `size`, and its `text` where that is not the size known."""
    folder = run_folder(run)
    found = _size(folder / LOG_NAME)
    return {"size": found, "text": log_tail(folder) if found != size else None}


def csv(run: str) -> dict[str, str]:
    """Every recorded step of a run as CSV."""
    return {"text": csv_of(fold_run(run_folder(run)))}


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
