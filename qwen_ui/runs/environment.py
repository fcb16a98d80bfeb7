"""The software versions and the machine that a run was made with."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from pathlib import Path
from typing import Any

import psutil

from qwen_ui import __version__

FILE_NAME = "environment.json"
PACKAGES = ("torch", "transformers", "accelerate", "safetensors", "datasets", "tokenizers", "peft")


def environment() -> dict[str, Any]:
    """Versions, machine and commit, found without importing the packages or starting a process."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": psutil.cpu_count(logical=True),
        "memory_bytes": psutil.virtual_memory().total,
        "packages": {name: _version(name) for name in PACKAGES},
        "qwen_ui": __version__,
        "commit": _commit(Path(__file__).resolve().parents[2]),
        "command": Path(sys.argv[0]).name,
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit(repository: Path) -> str | None:
    """The commit that a git checkout stands on; None for an installed package."""
    try:
        own, shared = _git_folders(repository)
        head = (own / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (shared / name).is_file():
            return (shared / name).read_text().strip()
        packed = (shared / "packed-refs").read_text().splitlines()
    except OSError:
        return None
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), None)


def _git_folders(repository: Path) -> tuple[Path, Path]:
    """Where a checkout's HEAD lies, and its branches: one folder, but in a worktree or submodule.

    Raises:
        OSError: not a checkout of git, or one that cannot be read.
    """
    git = repository / ".git"
    if git.is_file():
        git = repository / git.read_text().strip().removeprefix("gitdir: ")
    common = git / "commondir"
    return git, git / common.read_text().strip() if common.is_file() else git
