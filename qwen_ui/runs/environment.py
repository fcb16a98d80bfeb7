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
    git = repository / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (git / name).is_file():
            return (git / name).read_text().strip()
        packed = (git / "packed-refs").read_text().splitlines()
    except OSError:
        return None
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), None)
