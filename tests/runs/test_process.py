"""Processes told apart by more than their ids."""

from __future__ import annotations

import subprocess
import sys

from qwen_ui.runs.process import is_alive, stamp


def test_a_zombie_does_not_live() -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    begun = None
    while (now := stamp(process.pid)) is not None:
        begun = now
    assert not is_alive(process.pid, begun)
    process.wait()
