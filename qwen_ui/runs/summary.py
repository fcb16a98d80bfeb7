"""The summary of a run and the list of all runs, as the command line prints them."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from qwen_ui.paths import runs_folder
from qwen_ui.runs.current_status import status_of
from qwen_ui.runs.fold import RunFold
from qwen_ui.runs.folder import DELTA_NAME
from qwen_ui.runs.index import run_rows
from qwen_ui.runs.reader import reading
from qwen_ui.runs.totals import RunTotals

KEPT = ("keep_loss_before", "keep_loss_after", "keep_error", "kl", "kl_error")
LISTED = ("run", "status", "step", "steps", "loss", "reason")


def run_summary(folder: Path) -> dict[str, Any]:
    """A run as the command `train --json` prints it, from its events.

    Of a run that was read before, only what is new is read.
    """
    # The status first: when it says that the run is over, all of its events are there to be read.
    status = status_of(folder)
    delta = folder / DELTA_NAME
    with reading(folder) as reader:
        return {
            "run": folder.name,
            "status": status.status,
            "reason": status.reason,
            "mistake": bool(reader.fold.end.get("mistake")),
            "steps": status.steps,
            **_figures(reader.fold),
            "delta": str(delta) if delta.is_file() else None,
        }


def _figures(fold: RunFold) -> dict[str, Any]:
    """The keys of `train --json` that come from events."""
    totals, losses = RunTotals.of(fold), fold.columns["loss"]
    timed = [seconds for seconds in fold.columns["seconds"] if seconds]
    seconds = median(timed) if timed else None
    per_step = totals.tokens / len(losses) if losses else 0.0
    return {
        "losses": list(losses),
        "eval_loss_before": totals.eval_before,
        "eval_loss_after": totals.eval_after,
        "seconds_per_step": seconds,
        "tokens_per_second": per_step / seconds if seconds else None,
        "gain_error": fold.end.get("gain_error"),
        **{key: fold.end.get(key) for key in KEPT},
        "learning_rate_found": fold.end.get("learning_rate"),
        "notes": [str(log["message"]) for log in fold.logs if log.get("level") == "warning"],
        "prefix_blocks": int(fold.start.get("prefix_blocks") or 0),
        "peak_bytes": totals.peak_bytes,
    }


def run_row(folder: Path) -> dict[str, Any]:
    """A run as the command `runs --json` lists it."""
    return next(found for found in list_runs() if found["run"] == folder.name)


def list_runs() -> list[dict[str, Any]]:
    """Every run as the command `runs --json` lists it, the newest first."""
    return [{key: row[key] for key in LISTED} for row in run_rows(runs_folder())]
