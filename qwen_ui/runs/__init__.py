"""What a run leaves behind: its folder, its events, and the figures made from them.

The run folder is the only contract between the worker that trains and everything that watches.
Called by the engine (to write) and by every later room (to read). It touches `runs_folder()` and
nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.runs.annotation import annotate, annotation_of
    from qwen_ui.runs.command import command_line, flag_of, train_command
    from qwen_ui.runs.csv_export import csv_of
    from qwen_ui.runs.current_status import status_of
    from qwen_ui.runs.curves import AXES, FIGURES, Axis, Carry, Figure, lines_of
    from qwen_ui.runs.events import Event, read_events
    from qwen_ui.runs.failure import LOG_NAME, OF_MEMORY, log_tail, reason_for
    from qwen_ui.runs.fold import RunFold
    from qwen_ui.runs.folded import fold_from, fold_run
    from qwen_ui.runs.folder import (
        DELTA_NAME,
        copy_results,
        create_run,
        delete_run,
        open_folders,
        queue_lock,
        run_folder,
        run_names,
    )
    from qwen_ui.runs.former_settings import FORMER_SETTINGS
    from qwen_ui.runs.held_out import (
        HeldOut,
        bootstrap_interval,
        gain_note,
        read_held_out,
        standard_error,
        tells_apart,
        write_held_out,
    )
    from qwen_ui.runs.index import changed_rows, run_rows
    from qwen_ui.runs.kept_text import KeptText, read_kept_text, write_kept_text
    from qwen_ui.runs.lineage import Lineage, lineage_of, note_resume, note_retry
    from qwen_ui.runs.null_writer import NullWriter, Writer, first_process
    from qwen_ui.runs.phases import PhaseName, Phases, Tell, tell_nobody
    from qwen_ui.runs.placement import Placement, recorded_placement, write_placement
    from qwen_ui.runs.plan_record import RecordedPlan, recorded_plan
    from qwen_ui.runs.process import free_memory, is_alive, memory_kills
    from qwen_ui.runs.rate_search import RateSearch, rate_search_of
    from qwen_ui.runs.reader import reading
    from qwen_ui.runs.side_by_side import best_run, run_curves, runs_csv, setting_differences
    from qwen_ui.runs.sigterm import Terminated, termination
    from qwen_ui.runs.spec import (
        SETTING_PLACES,
        RunSpec,
        flat_settings,
        make_spec,
        parse_spec,
        read_spec,
        recorded_settings,
        setting_choices,
        setting_field,
        setting_help,
        setting_label,
    )
    from qwen_ui.runs.spec_groups import (
        OptimizationSettings,
        Prefix,
        ResourceSettings,
        Schedule,
        Tracker,
    )
    from qwen_ui.runs.status import (
        LAUNCHED,
        OVER,
        Launched,
        Status,
        living_process,
        note_launch,
        recorded_launch,
        recorded_status,
        write_status,
    )
    from qwen_ui.runs.summary import list_runs, run_row, run_summary
    from qwen_ui.runs.thinning import MOST_POINTS, shown_lines
    from qwen_ui.runs.totals import RunTotals
    from qwen_ui.runs.writer import SAVING, STOP, RunWriter, Superseded, run_lock

__all__ = [
    "AXES",
    "DELTA_NAME",
    "FIGURES",
    "FORMER_SETTINGS",
    "LAUNCHED",
    "LOG_NAME",
    "MOST_POINTS",
    "OF_MEMORY",
    "OVER",
    "SAVING",
    "SETTING_PLACES",
    "STOP",
    "Axis",
    "Carry",
    "Event",
    "Figure",
    "HeldOut",
    "KeptText",
    "Launched",
    "Lineage",
    "NullWriter",
    "OptimizationSettings",
    "PhaseName",
    "Phases",
    "Placement",
    "Prefix",
    "RateSearch",
    "RecordedPlan",
    "ResourceSettings",
    "RunFold",
    "RunSpec",
    "RunTotals",
    "RunWriter",
    "Schedule",
    "Status",
    "Superseded",
    "Tell",
    "Terminated",
    "Tracker",
    "Writer",
    "annotate",
    "annotation_of",
    "best_run",
    "bootstrap_interval",
    "changed_rows",
    "command_line",
    "copy_results",
    "create_run",
    "csv_of",
    "delete_run",
    "first_process",
    "flag_of",
    "flat_settings",
    "fold_from",
    "fold_run",
    "free_memory",
    "gain_note",
    "is_alive",
    "lineage_of",
    "lines_of",
    "list_runs",
    "living_process",
    "log_tail",
    "make_spec",
    "memory_kills",
    "note_launch",
    "note_resume",
    "note_retry",
    "open_folders",
    "parse_spec",
    "queue_lock",
    "rate_search_of",
    "read_events",
    "read_held_out",
    "read_kept_text",
    "read_spec",
    "reading",
    "reason_for",
    "recorded_launch",
    "recorded_placement",
    "recorded_plan",
    "recorded_settings",
    "recorded_status",
    "run_curves",
    "run_folder",
    "run_lock",
    "run_names",
    "run_row",
    "run_rows",
    "run_summary",
    "runs_csv",
    "setting_choices",
    "setting_differences",
    "setting_field",
    "setting_help",
    "setting_label",
    "shown_lines",
    "standard_error",
    "status_of",
    "tell_nobody",
    "tells_apart",
    "termination",
    "train_command",
    "write_held_out",
    "write_kept_text",
    "write_placement",
    "write_status",
]
__getattr__ = lazy_face(__name__, __file__)
