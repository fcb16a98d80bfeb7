"""Processes told apart by more than their ids."""

from __future__ import annotations

import subprocess
import sys

from qwen_ui.runs.process import is_alive, stamp
from tests.helpers.waiting import until


def test_a_zombie_does_not_live() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        begun = stamp(process.pid)
        assert begun is not None
        process.kill()
        until(lambda: stamp(process.pid) is None)
        assert not is_alive(process.pid, begun)
