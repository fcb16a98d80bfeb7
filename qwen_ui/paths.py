"""Where things lie: the shipped assets, and the folder that is this person's own."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

ASSETS = Path(__file__).resolve().parent.parent / "assets"


def home() -> Path:
    """Folder of runs, kept prefixes and settings: `QWEN_UI_HOME`, else the user's data folder."""
    chosen = os.environ.get("QWEN_UI_HOME")
    return Path(chosen) if chosen else Path(platformdirs.user_data_dir("qwen-ui"))


def runs_folder() -> Path:
    """`home()/runs`: one folder a run."""
    return home() / "runs"
