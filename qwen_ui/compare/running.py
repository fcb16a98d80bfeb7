"""The runs of a comparison: started, resumed, waited for, stopped.

Missing runs are started and those that did not complete are resumed, so an interrupted comparison
goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from qwen_ui.compare.comparison import Comparison, write_comparison
from qwen_ui.runs import OVER, Event, run_folder, status_of
from qwen_ui.workers import preload, resume, start, stop, wait

RESUMABLE = OVER - {"completed"}


def start_runs(comparison: Comparison) -> Comparison:
    """Queue every missing run, and again those that did not complete, to be resumed."""
    for number, entry in enumerate(comparison.entries):
        if entry.run is None:
            started = replace(entry, run=start(entry.spec))
            entries = list(comparison.entries)
            entries[number] = started
            comparison = replace(comparison, entries=tuple(entries))
            # At once, so that a crash between two runs starts none of them twice.
            write_comparison(comparison)
        elif status_of(run_folder(entry.run)).status in RESUMABLE:
            resume(entry.run)
    return comparison


def run_comparison(
    comparison: Comparison, on_event: Callable[[Event], None] | None = None
) -> Comparison:
    """Start or resume every run and wait for the end of all, handing each event to `on_event`.

    The first run waits for imports, as it would anyway; those after it are forked.
    """
    if len(comparison.entries) > 1:
        preload(wait=True)
    comparison = start_runs(comparison)
    for run in comparison.runs:
        wait(run, on_event)
    return comparison


def stop_runs(comparison: Comparison) -> None:
    """Ask every run that is not over to save and stop."""
    for run in comparison.runs:
        if not status_of(run_folder(run)).over:
            stop(run)
