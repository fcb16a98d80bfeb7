"""`qwen-ui` and `python -m qwen_ui`: the dashboard, or with a command the command line."""

from __future__ import annotations

import os

# Before torch is imported; see `qwen_ui.workers.processes.child_environment`.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from qwen_ui.cli.main import main
from qwen_ui.cli.shared import app
from qwen_ui.ui.dashboard import dashboard

__all__ = ["app", "main"]

app.callback(invoke_without_command=True, subcommand_metavar="[COMMAND] [ARGS]...")(dashboard)

if __name__ == "__main__":
    main()
