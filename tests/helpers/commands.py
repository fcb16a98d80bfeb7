"""A command of the command line, run in the test's own process."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import typer

from qwen_ui.cli.main import main
from qwen_ui.cli.shared import app
from qwen_ui.paths import ASSETS

KJV = str(ASSETS / "data" / "kjv-train.txt")
SHORT = ["--data", KJV, "--steps", "3", "--batch-size", "2", "--sequence-length", "32"]


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command in this process."""
    sys.argv = ["qwen_ui", *arguments]
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


def commands() -> dict[str, Any]:
    """Typer's own commands by name, with their `params`."""
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def parsed(arguments: list[str]) -> dict[str, Any]:
    """The values that a command line gives to its command, which is not run.

    Raises:
        typer.TyperException: there is no such command or option, or a value is missing or wrong.
    """
    group: Any = typer.main.get_command(app)
    with group.make_context("qwen_ui", list(arguments)) as context:
        words = [*context._protected_args, *context.args]
        name, command, rest = group.resolve_command(context, words)
        return dict(command.make_context(name, rest, parent=context).params)
