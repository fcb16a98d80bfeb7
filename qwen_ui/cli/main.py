"""Run a command: exit code 0 for success, 2 for invalid input, 1 for an internal error.

`lint` prints what it found and exits with 2 as well where the selection is wrong, `verify` with 1
too where a plan was not kept, and `ship` with 3 where a run does not keep its limits.

Every command takes `--json`: one object on standard output and nothing else there. Invalid input is
one line on standard error; an internal error keeps its traceback.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

# Importing a module adds its commands; `--help` lists them in the order of these lines.
# isort: off
from qwen_ui.cli import inspect
from qwen_ui.cli import freeze
from qwen_ui.cli import lint
from qwen_ui.cli import train
from qwen_ui.cli import compare
from qwen_ui.cli import rank
from qwen_ui.cli import apply
from qwen_ui.cli import dial
from qwen_ui.cli import ship
from qwen_ui.cli import verify
from qwen_ui.cli import runs
from qwen_ui.cli import take_away

# isort: on
from qwen_ui.cli.shared import app
from qwen_ui.errors import UserError

COMMAND_MODULES = (
    *(inspect, freeze, lint, train, compare, rank, apply),
    *(dial, ship, verify, runs, take_away),
)


def main() -> None:
    """Run the command line, or without a command what its callback starts, and exit with a code."""
    try:
        app(standalone_mode=False)
    except UserError as error:
        _refuse(str(error))
    except typer.TyperException as error:
        _refuse(f"{str(error).rstrip('.')}. `qwen-ui --help` lists the commands.")
    except typer.Abort:
        _refuse("Interrupted.")


def _refuse(text: str) -> NoReturn:
    print("Error: " + " ".join(text.split()), file=sys.stderr)
    sys.exit(2)
