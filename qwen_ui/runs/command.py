"""The command that trains with a run's settings again, and the options that settings are given by.

`cli.options` makes the options of `train` from the same names.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from qwen_ui.runs.plan_record import PLAN_NAME
from qwen_ui.runs.spec import SETTING_PLACES, read_spec, setting_field

# Options that are given once for every value are in the singular.
_SINGULAR = {"sample_prompts": "sample_prompt", "trackers": "tracker"}
# The command asks for these whatever their value, and for the model without a flag.
_ALWAYS = ("data", "steps")


def flag_of(name: str) -> str:
    """The option of a setting: `batch_size` is `--batch-size`."""
    return "--" + _SINGULAR.get(name, name).replace("_", "-")


def train_command(folder: Path, plan: str = "") -> list[str]:
    """The words of the command that starts this run anew, settings at their defaults left out.

    Args:
        plan: name of the plan's file; "" for the run's own.

    Raises:
        RunError, SettingsError: the run's settings cannot be read.
    """
    spec = read_spec(folder)
    settings = spec.flat()
    words = ["python", "-m", "qwen_ui", "train", spec.model.source]
    words += ["--plan", plan or str(folder / PLAN_NAME)]
    for name in (*_ALWAYS, *(n for n in SETTING_PLACES if n not in ("model", *_ALWAYS))):
        value = settings[name]
        if name in _ALWAYS or value != setting_field(name).default:
            words += _option(flag_of(name), value)
    return words


def command_line(words: list[str]) -> str:
    """The words as a person types them."""
    return shlex.join(words)


def _option(flag: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag if value else "--no-" + flag.removeprefix("--")]
    if isinstance(value, tuple | list):
        return [word for one in value for word in (flag, str(one))]
    # A value that begins with a dash must not look like an option.
    return [f"{flag}={value}"] if str(value).startswith("-") else [flag, str(value)]
