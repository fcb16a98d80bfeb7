"""The runs of a comparison: started, resumed, waited for, stopped.

Missing runs are started and those that did not complete are resumed, so an interrupted comparison
goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from qwen_ui.compare.comparison import Comparison, Entry, write_comparison
from qwen_ui.runs import OVER, Event, run_folder, status_of
from qwen_ui.workers import preload, resume, start, stop, wait

RESUMABLE = OVER - {"completed"}


def start_runs(comparison: Comparison) -> Comparison:
    """Queue every missing run, and again those that did not complete, to be resumed.

    The runs that find rates go first; those of their plans wait for them in the queue.
    """
    for number, search in enumerate(comparison.searches):
        if (started := _started(search)) != search:
            comparison = _with(comparison, "searches", number, started)
    found_by = {search.label: search.run for search in comparison.searches}
    for number, entry in enumerate(comparison.entries):
        if entry.run is None and entry.spec.optimization.learning_rate is None:
            spec = entry.spec.changed(learning_rate_run=found_by.get(entry.label))
            entry = replace(entry, spec=spec)
        if (started := _started(entry)) != comparison.entries[number]:
            comparison = _with(comparison, "entries", number, started)
    return comparison


def _started(entry: Entry) -> Entry:
    if entry.run is None:
        return replace(entry, run=start(entry.spec))
    if status_of(run_folder(entry.run)).status in RESUMABLE:
        resume(entry.run)
    return entry


def _with(
    comparison: Comparison, group: Literal["searches", "entries"], number: int, started: Entry
) -> Comparison:
    """The comparison with this entry started, written down."""
    entries = list(getattr(comparison, group))
    entries[number] = started
    changed = (
        replace(comparison, searches=tuple(entries))
        if group == "searches"
        else replace(comparison, entries=tuple(entries))
    )
    # At once, so that a crash between two runs starts none of them twice.
    write_comparison(changed)
    return changed


def run_comparison(
    comparison: Comparison, on_event: Callable[[Event], None] | None = None
) -> Comparison:
    """Start or resume every run and wait for the end of all, handing each event to `on_event`.

    The first run waits for imports, as it would anyway; those after it are forked.
    """
    if len(comparison.entries) + len(comparison.searches) > 1:
        preload(wait=True)
    comparison = start_runs(comparison)
    for run in comparison.all_runs:
        wait(run, on_event)
    return comparison


def stop_runs(comparison: Comparison) -> None:
    """Ask every run that is not over to save and stop."""
    for run in comparison.all_runs:
        if not status_of(run_folder(run)).over:
            stop(run)
