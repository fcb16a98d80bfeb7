"""A command of the command line, run in the test's own process."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from qwen_ui.cli import main as cli


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command in this process."""
    sys.argv = ["qwen_ui", *arguments]
    code = 0
    try:
        cli.main()
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def record(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code, out, _ = run([*arguments, "--json"], capsys)
    assert code == 0
    return json.loads(out)
