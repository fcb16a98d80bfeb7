"""What a run leaves behind: its folder, its events and what they come to.

The run folder is the only contract between the worker that trains and everything that watches.
Called by the engine (to write) and by every later room (to read); it touches `runs_folder()` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.runs.events import Event, read_events
    from qwen_ui.runs.folder import (
        annotate,
        copy_results,
        create_run,
        delete_run,
        open_folders,
        run_folder,
        run_names,
        status_of,
    )
    from qwen_ui.runs.spec import RunSpec, make_spec, parse_spec, read_spec, recorded_settings
    from qwen_ui.runs.status import Status
    from qwen_ui.runs.summary import list_runs, run_row, run_summary
    from qwen_ui.runs.writer import RunWriter, run_lock

__all__ = [
    "Event",
    "RunSpec",
    "RunWriter",
    "Status",
    "annotate",
    "copy_results",
    "create_run",
    "delete_run",
    "list_runs",
    "make_spec",
    "open_folders",
    "parse_spec",
    "read_events",
    "read_spec",
    "recorded_settings",
    "run_folder",
    "run_lock",
    "run_names",
    "run_row",
    "run_summary",
    "status_of",
]
__getattr__ = lazy_face(
    __name__,
    {
        "Event": "events",
        "RunSpec": "spec",
        "RunWriter": "writer",
        "Status": "status",
        "annotate": "folder",
        "copy_results": "folder",
        "create_run": "folder",
        "delete_run": "folder",
        "list_runs": "summary",
        "make_spec": "spec",
        "open_folders": "folder",
        "parse_spec": "spec",
        "read_events": "events",
        "read_spec": "spec",
        "recorded_settings": "spec",
        "run_row": "summary",
        "run_folder": "folder",
        "run_lock": "writer",
        "run_names": "folder",
        "status_of": "folder",
        "run_summary": "summary",
    },
)
