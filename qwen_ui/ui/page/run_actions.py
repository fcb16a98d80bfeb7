"""What the view of a run may ask for beside its events: actions, settings, log, CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwen_ui.errors import UserError
from qwen_ui.files import read_json
from qwen_ui.runs.curves import csv_of
from qwen_ui.runs.events import read_events
from qwen_ui.runs.summary import run_folder

# What a retry may change: the settings that a person tries.
EDITABLE = (
    *("steps", "learning_rate", "batch_size", "accumulation", "sequence_length", "seed"),
    *("schedule", "warmup_steps", "weight_decay", "gradient_clip", "eval_every"),
    *("checkpoint_every", "early_stopping", "prefix_cache", "dtype", "device"),
)


def act(asked: dict[str, Any]) -> dict[str, str]:
    """Stop, kill, resume, retry, describe or delete a run.

    Returns:
        {}; `run` where there is a new one; `error` where something was wrong.
    """
    from qwen_ui.runs.folder import annotate, delete_run
    from qwen_ui.workers import launch

    run = str(asked.get("run", ""))
    try:
        match asked.get("action"):
            case "stop":
                launch.stop(run)
            case "kill":
                launch.kill(run)
            case "resume":
                launch.resume(run)
            case "retry":
                return {"run": retry(run, asked.get("changes") or {})}
            case "describe":
                annotate(
                    run, **{key: asked[key] for key in ("name", "tags", "note") if key in asked}
                )
            case "delete":
                delete_run(run)
    except UserError as error:
        return {"error": str(error)}
    return {}


def retry(run: str, changes: dict[str, str]) -> str:
    """A new run with the settings of this one and these texts from a form in their place.

    Raises:
        SettingsError: a text is no value of its setting.
    """
    from qwen_ui.runs.spec import make_spec
    from qwen_ui.workers import launch

    given = read_json(run_folder(run) / "spec.json")
    # An empty field means automatic. pydantic reads numbers from texts, and says which it cannot.
    given |= {key: str(text) or None for key, text in changes.items() if key in EDITABLE}
    return launch.start(make_spec(**given))


def settings(asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The settings that a retry may change: `name`, `value`, and `choices` where there are few."""
    from qwen_ui.runs.spec import RunSpec

    spec = read_json(run_folder(str(asked["run"])) / "spec.json")
    properties = RunSpec.model_json_schema()["properties"]
    return [
        {
            "name": name,
            "value": spec.get(name, properties[name].get("default")),
            "choices": properties[name].get("enum"),
        }
        for name in EDITABLE
    ]


def log(asked: dict[str, Any]) -> dict[str, Any]:
    """The end of the worker's log: its `size`, and its `text` where that is not the size known."""
    from qwen_ui.runs.failure import LOG_NAME, log_tail

    folder = run_folder(str(asked["run"]))
    size = _size(folder / LOG_NAME)
    return {"size": size, "text": log_tail(folder) if size != asked.get("size") else None}


def csv(asked: dict[str, Any]) -> str:
    """Every recorded step of a run as CSV."""
    return csv_of(read_events(run_folder(str(asked["run"])))[0])


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
