"""What programs reach over the network: gradio's API and MCP tools.

Nothing else calls it but the page's shell. Reading and pricing are free; what trains needs a permit
that a person gave on the page (`page.permits`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.ui.programs.wiring import offer_functions

__all__ = ["offer_functions"]
__getattr__ = lazy_face(__name__, __file__)
