"""What a run leaves behind: its folder, its events and what they come to.

The run folder is the only contract between the worker that trains and everything that watches.
Called by the engine (to write) and by every later room (to read); it touches `runs_folder()` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.runs.annotation import annotate, annotation_of
    from qwen_ui.runs.csv_export import csv_of
    from qwen_ui.runs.current_status import status_of
    from qwen_ui.runs.curves import AXES, FIGURES, Axis, Carry, Figure, lines_of
    from qwen_ui.runs.events import Event, read_events
    from qwen_ui.runs.failure import LOG_NAME, log_tail, reason_for
    from qwen_ui.runs.fold import RunFold, fold_from, fold_run
    from qwen_ui.runs.folder import (
        copy_results,
        create_run,
        delete_run,
        open_folders,
        queue_lock,
        run_folder,
        run_names,
    )
    from qwen_ui.runs.index import changed_rows, run_rows
    from qwen_ui.runs.null_writer import NullWriter
    from qwen_ui.runs.reader import reading
    from qwen_ui.runs.side_by_side import best_run, run_curves, runs_csv, setting_differences
    from qwen_ui.runs.spec import RunSpec, make_spec, read_spec
    from qwen_ui.runs.status import OVER, Status
    from qwen_ui.runs.summary import list_runs, run_row, run_summary
    from qwen_ui.runs.thinning import MOST_POINTS, thinned
    from qwen_ui.runs.totals import RunTotals
    from qwen_ui.runs.writer import STOP, RunWriter, run_lock

__all__ = [
    "AXES",
    "FIGURES",
    "LOG_NAME",
    "MOST_POINTS",
    "OVER",
    "STOP",
    "Axis",
    "Carry",
    "Event",
    "Figure",
    "NullWriter",
    "RunFold",
    "RunSpec",
    "RunTotals",
    "RunWriter",
    "Status",
    "annotate",
    "annotation_of",
    "best_run",
    "changed_rows",
    "copy_results",
    "create_run",
    "csv_of",
    "delete_run",
    "fold_from",
    "fold_run",
    "lines_of",
    "list_runs",
    "log_tail",
    "make_spec",
    "open_folders",
    "queue_lock",
    "read_events",
    "read_spec",
    "reading",
    "reason_for",
    "run_curves",
    "run_folder",
    "run_lock",
    "run_names",
    "run_row",
    "run_rows",
    "run_summary",
    "runs_csv",
    "setting_differences",
    "status_of",
    "thinned",
]
__getattr__ = lazy_face(
    __name__,
    {
        "AXES": "curves",
        "FIGURES": "curves",
        "LOG_NAME": "failure",
        "MOST_POINTS": "thinning",
        "OVER": "status",
        "STOP": "writer",
        "Axis": "curves",
        "Carry": "curves",
        "Event": "events",
        "Figure": "curves",
        "NullWriter": "null_writer",
        "RunFold": "fold",
        "RunSpec": "spec",
        "RunTotals": "totals",
        "RunWriter": "writer",
        "Status": "status",
        "annotate": "annotation",
        "annotation_of": "annotation",
        "best_run": "side_by_side",
        "changed_rows": "index",
        "copy_results": "folder",
        "create_run": "folder",
        "csv_of": "csv_export",
        "delete_run": "folder",
        "fold_from": "fold",
        "fold_run": "fold",
        "lines_of": "curves",
        "list_runs": "summary",
        "log_tail": "failure",
        "make_spec": "spec",
        "open_folders": "folder",
        "queue_lock": "folder",
        "read_events": "events",
        "read_spec": "spec",
        "reading": "reader",
        "reason_for": "failure",
        "run_curves": "side_by_side",
        "run_folder": "folder",
        "run_lock": "writer",
        "run_names": "folder",
        "run_row": "summary",
        "run_rows": "index",
        "run_summary": "summary",
        "runs_csv": "side_by_side",
        "setting_differences": "side_by_side",
        "status_of": "current_status",
        "thinned": "thinning",
    },
)
