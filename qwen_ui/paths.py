"""Where files are: the assets that ship with the package, and the user's own folder."""

from __future__ import annotations

import os
import site
import sysconfig
from pathlib import Path

import platformdirs

PACKAGE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """A folder inside the package where a wheel was installed, beside it in a checkout."""
    inside, beside = PACKAGE / name, PACKAGE.parent / name
    return beside if beside.is_dir() and not inside.is_dir() else inside


ASSETS = _shipped("assets")
DOCS = _shipped("docs")


def python_path() -> str:
    """The `PYTHONPATH` on which a Python process of ours finds this package.

    What stands there comes before the standard library. The folder of a checkout is added; the
    folders that Python adds itself are not, or a package in them could take a module's place.
    """
    given = os.environ.get("PYTHONPATH", "")
    own = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), site.getusersitepackages()}
    parent = PACKAGE.parent
    if parent in {Path(path).resolve() for path in (*own, *site.getsitepackages())}:
        return given
    return os.pathsep.join(filter(None, (str(parent), given)))


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
