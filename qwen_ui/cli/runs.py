"""Commands about runs that exist: runs, stop."""

from __future__ import annotations

from typing import Any

from qwen_ui.cli.shared import AsJson, Run, app, say
from qwen_ui.cli.table import loss_cell, table
from qwen_ui.paths import runs_folder
from qwen_ui.runs import list_runs, run_folder, run_names, run_row
from qwen_ui.workers import look_at_jobs, wait
from qwen_ui.workers import stop as stop_run


@app.command()
def runs(as_json: AsJson = False) -> None:
    """List all runs, newest first."""
    look_at_jobs(runs_folder() / name for name in run_names())
    found = list_runs()
    say({"runs": found}, as_json, runs_text(found))


@app.command()
def stop(run: Run, as_json: AsJson = False) -> None:
    """Ask a run to save what it has and stop, and wait until it has done so."""
    stop_run(run)
    wait(run)
    found = run_row(run_folder(run))
    say(found, as_json, runs_text([found]))


def runs_text(rows: list[dict[str, Any]]) -> str:
    """A line per run."""
    if not rows:
        return "No runs yet. `qwen-ui train` starts one."
    lines = [("run", "status", "step", "loss", "")]
    lines += [
        (
            row["run"],
            row["status"],
            f"{row['step']}/{row['steps']}",
            loss_cell(row["loss"]),
            row["reason"],
        )
        for row in rows
    ]
    return "\n".join(table(lines, right={2, 3}))
