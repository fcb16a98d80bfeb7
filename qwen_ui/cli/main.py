"""The command line: a thin skin over the functions that the pages call.

Every command takes `--json`: one object on standard output and nothing else there. Exit code 0 on
success, 2 on a person's mistake (one line on standard error), 1 on a fault of ours (a traceback).
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from qwen_ui.cli import models as cli_models
from qwen_ui.cli import runs as cli_runs
from qwen_ui.cli.shared import app
from qwen_ui.errors import UserError

# Importing them puts their commands into `app`, in this order.
COMMANDS = (cli_models, cli_runs)


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        app(standalone_mode=False)
    except UserError as error:
        _refuse(str(error))
    except typer.TyperException as error:
        _refuse(f"{error} `python -m qwen_ui --help` lists what there is.")
    except typer.Abort:
        _refuse("Interrupted.")


def _refuse(text: str) -> NoReturn:
    print("Error: " + " ".join(text.split()), file=sys.stderr)
    sys.exit(2)
