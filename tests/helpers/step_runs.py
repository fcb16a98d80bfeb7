"""Runs of the step worker, and dashboards in processes of their own that start them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from qwen_ui.runs import read_events

REPOSITORY = Path(__file__).resolve().parents[2]
PLAN = {"name": "attention"}


def spec(steps: int = 5, pause: float = 0.0, **more: Any) -> dict[str, Any]:
    """What the step worker is to do; see `tests.helpers.step_worker`."""
    return {"model": "nano", "plan": PLAN, "steps": steps, "pause": pause, **more}


def long_spec(**more: Any) -> dict[str, Any]:
    """A run that goes on for as long as a test takes."""
    return spec(steps=100_000, pause=0.02, **more)


def steps(folder: Path) -> list[int]:
    """The steps that a run has recorded, in their order."""
    return [event["step"] for event in read_events(folder)[0] if event["event"] == "step"]


def start_dashboard(*specs: dict[str, Any], preload: bool = False) -> subprocess.Popen[str]:
    """A dashboard process that starts these runs; see `tests.helpers.dashboard`."""
    flags = ["--preload"] if preload else []
    return subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.dashboard", *flags, *map(json.dumps, specs)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def next_line(process: subprocess.Popen[str]) -> str:
    """The next line that this process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill_at_once(process: subprocess.Popen[str]) -> None:
    """End a process as `kill -9` does."""
    process.kill()
    process.communicate()
