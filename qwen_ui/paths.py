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


def runs_folder() -> Path:
    """`home()/runs`: one folder per run."""
    return home() / "runs"
