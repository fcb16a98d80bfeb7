"""Raise the pins to the newest versions; `make raise-pins` runs the tests on them as well.

Run-time packages stay within the ranges of pyproject.toml, tools of requirements-dev.txt may go to
any version. Nothing is installed: pip is asked what it would install.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_PIN = re.compile(r"^([A-Za-z][\w.-]*)==(\S+)$", re.MULTILINE)


def main() -> None:
    ranges = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    files = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt"]
    tools = [name for name, _ in _PIN.findall(files[1].read_text())]
    newest = newest_versions([*ranges, *tools])
    for file in files:
        text = file.read_text()
        raised = raise_pins(text, newest)
        for (name, old), (_, new) in zip(_PIN.findall(text), _PIN.findall(raised), strict=True):
            print(f"{name} {old}" if old == new else f"{name} {old} -> {new}")
        file.write_text(raised)


def newest_versions(requirements: Sequence[str]) -> dict[str, str]:
    """Normalized name -> version, of everything that pip would install for all of them together."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--upgrade", "--quiet"]
    eager = ["--upgrade-strategy", "eager", "--ignore-installed", "--report", "-"]
    done = subprocess.run(
        [*command, *eager, *requirements], stdout=subprocess.PIPE, text=True, check=True
    )
    found = [item["metadata"] for item in json.loads(done.stdout)["install"]]
    return {normal(data["name"]): data["version"] for data in found}


def raise_pins(text: str, newest: dict[str, str]) -> str:
    """A requirements file with its pins at these versions, without the mark of a build (`+cpu`)."""

    def raised(pin: re.Match[str]) -> str:
        return f"{pin[1]}=={newest[normal(pin[1])].split('+')[0]}"

    return _PIN.sub(raised, text)


def normal(name: str) -> str:
    """A package's name as PEP 503 normalizes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
