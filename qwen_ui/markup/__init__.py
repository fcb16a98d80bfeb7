"""HTML and SVG that Python makes, for pages, reports and notebooks alike.

Called by every room that shows something and by the pages. It reads the package's own templates and
nothing else; what it is given is escaped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.markup.colours import SERIES_COLOURS
    from qwen_ui.markup.notebook import Grid, Table, figures_table, table, view
    from qwen_ui.markup.svg_chart import Series, chart
    from qwen_ui.markup.templates import environment, render

__all__ = [
    "SERIES_COLOURS",
    "Grid",
    "Series",
    "Table",
    "chart",
    "environment",
    "figures_table",
    "render",
    "table",
    "view",
]
__getattr__ = lazy_face(__name__, __file__)
