"""A command of the command line, run in the test's own process."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import typer

from qwen_ui.__main__ import app, main
from qwen_ui.paths import ASSETS

KJV = str(ASSETS / "data" / "kjv-train.txt")
SHORT = ["--data", KJV, "--steps", "3", "--batch-size", "2", "--sequence-length", "32"]


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command in this process."""
    sys.argv = ["qwen-ui", *arguments]
    code = 0
    try:
        main()
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def record(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code, out, _ = run([*arguments, "--json"], capsys)
    assert code == 0
    return json.loads(out)


def group() -> Any:
    """Typer's own record of the whole command line: its `params` are the dashboard's options."""
    return typer.main.get_command(app)


def commands() -> dict[str, Any]:
    """Typer's own commands by name, with their `params`."""
    return dict(group().commands)


def parsed(arguments: list[str]) -> dict[str, Any]:
    """The values that a command line gives to its command or the dashboard, which is not run.

    Raises:
        typer.TyperException: there is no such command or option, or a value is missing or wrong.
    """
    whole = group()
    with whole.make_context("qwen-ui", list(arguments)) as context:
        words = [*context._protected_args, *context.args]
        if not words:
            return dict(context.params)
        name, command, rest = whole.resolve_command(context, words)
        return dict(command.make_context(name, rest, parent=context).params)
