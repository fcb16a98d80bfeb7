"""The shell of the page: header, session, guard, templates, scripts, and what several tabs share.

Called by the tabs and by `ui/dashboard.py`. It keeps the opened models in memory, copies uploaded
data under `home()`, and knows no tab but in `app`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.markup import SERIES_COLOURS, render
    from qwen_ui.ui.page.api import INTERNAL, server_function
    from qwen_ui.ui.page.app import build_app, launch_options
    from qwen_ui.ui.page.data_check import check_choice, data_measure, data_preview
    from qwen_ui.ui.page.data_choice import (
        CHAT,
        KJV,
        OWN,
        data_files,
        data_named,
        data_names,
        is_known_data,
        kept_files,
        own_columns,
        own_file,
        shown_with_own,
    )
    from qwen_ui.ui.page.event_options import QUIET
    from qwen_ui.ui.page.figure import build_figure, figure_value
    from qwen_ui.ui.page.guard import guarded
    from qwen_ui.ui.page.header import Header, default_plan
    from qwen_ui.ui.page.jobs import Jobs, Tick
    from qwen_ui.ui.page.keep_choice import NONE, keep_fields, kept_text_file, wire_keep
    from qwen_ui.ui.page.launch_bar import BAR, build_launch_state, refused
    from qwen_ui.ui.page.modules import mounted_by, plotly_script
    from qwen_ui.ui.page.permit_button import (
        PermitButton,
        build_permit_button,
        wire_permit_button,
    )
    from qwen_ui.ui.page.permits import Permit, Permits
    from qwen_ui.ui.page.run_view import build_run_view, title_of
    from qwen_ui.ui.page.run_zoom import Place, Smoothing
    from qwen_ui.ui.page.saved_plans import (
        forget_saved_plan,
        save_plan_as_named,
        saved_plan,
        saved_plan_names,
    )
    from qwen_ui.ui.page.serving import AUTH_VARIABLE, Serving, serving_from
    from qwen_ui.ui.page.session import Session
    from qwen_ui.ui.page.stand_in import runs_html, stand_in_for, trained_model
    from qwen_ui.ui.page.templates import mount_point, paragraph, script
    from qwen_ui.ui.page.visitors import open_to_visitors

__all__ = [
    "AUTH_VARIABLE",
    "BAR",
    "CHAT",
    "INTERNAL",
    "KJV",
    "NONE",
    "OWN",
    "QUIET",
    "SERIES_COLOURS",
    "Header",
    "Jobs",
    "Permit",
    "PermitButton",
    "Permits",
    "Place",
    "Serving",
    "Session",
    "Smoothing",
    "Tick",
    "build_app",
    "build_figure",
    "build_launch_state",
    "build_permit_button",
    "build_run_view",
    "check_choice",
    "data_files",
    "data_measure",
    "data_named",
    "data_names",
    "data_preview",
    "default_plan",
    "figure_value",
    "forget_saved_plan",
    "guarded",
    "is_known_data",
    "keep_fields",
    "kept_files",
    "kept_text_file",
    "launch_options",
    "mount_point",
    "mounted_by",
    "open_to_visitors",
    "own_columns",
    "own_file",
    "paragraph",
    "plotly_script",
    "refused",
    "render",
    "runs_html",
    "save_plan_as_named",
    "saved_plan",
    "saved_plan_names",
    "script",
    "server_function",
    "serving_from",
    "shown_with_own",
    "stand_in_for",
    "title_of",
    "trained_model",
    "wire_keep",
    "wire_permit_button",
]
__getattr__ = lazy_face(__name__, __file__)
