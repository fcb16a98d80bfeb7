"""What a module is, and why a tensor has its shape, in words and formulas.

Called by the Inspect tab and the report. It reads an anatomy and touches nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.model.explain.explanation import Explanation
    from qwen_ui.model.explain.modules import explain_module
    from qwen_ui.model.explain.shapes import explain_shape, shape_product

__all__ = [
    "Explanation",
    "explain_module",
    "explain_shape",
    "shape_product",
]
__getattr__ = lazy_face(__name__, __file__)
