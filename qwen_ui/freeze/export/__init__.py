"""Plans as text for the tools that people train with, and their texts as plans.

Called by the Freeze tab and the commands, mostly through `freeze`. It touches nothing: callers read
and write the files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.freeze.export.formats import export_formats, export_text
    from qwen_ui.freeze.export.importing import import_plan

__all__ = [
    "export_formats",
    "export_text",
    "import_plan",
]
__getattr__ = lazy_face(__name__, __file__)
