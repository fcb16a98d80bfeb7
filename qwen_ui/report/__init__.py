"""The inspection report: an architecture described, checks that are executed, notes on freezing.

Called by the Inspect tab and the commands. It builds weightless modules and reads headers of weight
files; what trains, it asks `freeze.resolve`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.report.checks import Check
    from qwen_ui.report.report import Report, inspection_report

__all__ = [
    "Check",
    "Report",
    "inspection_report",
]
__getattr__ = lazy_face(__name__, __file__)
