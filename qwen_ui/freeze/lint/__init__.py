"""Any tool's selection held against a model: what it trains, entry by entry, and what is wrong.

Called by the command `lint`, the Freeze tab, the library and `freeze.export`. Texts are parsed and
patterns matched in processes with limits; nothing that is read is executed, and no file is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.freeze.lint.linting import Lint, lint_text
    from qwen_ui.freeze.lint.pricing import lint_price, lint_price_text
    from qwen_ui.freeze.lint.recognising import LINT_FORMATS
    from qwen_ui.freeze.lint.record import lint_record, lint_summary

__all__ = [
    "LINT_FORMATS",
    "Lint",
    "lint_price",
    "lint_price_text",
    "lint_record",
    "lint_summary",
    "lint_text",
]
__getattr__ = lazy_face(__name__, __file__)
