"""Where files are: the assets that ship with the package, and the user's own folder."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

ASSETS = Path(__file__).resolve().parent.parent / "assets"


def home() -> Path:
    """Folder of runs, cached prefixes and settings: `QWEN_UI_HOME`, else the user's data folder."""
    chosen = os.environ.get("QWEN_UI_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("qwen-ui"))


def named_path(name: str) -> Path | None:
    """The file or folder that a person names, `~` expanded; None where there is none.

    What can be no path at all names none either: longer than the system takes, with a null
    character, the home of a user who is not there.
    """
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):
        return None


def runs_folder() -> Path:
    """`home()/runs`: one folder per run."""
    return home() / "runs"
