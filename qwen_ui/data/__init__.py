"""Data files of any common form -> samples -> token batches, with what carries loss.

Called by the engine, ranking and the data preview. It reads files and the hub's cache and writes
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.data.batches import Batch, Examples, collate, load_examples, load_split
    from qwen_ui.data.order import Order
    from qwen_ui.data.preview import Preview, preview_data
    from qwen_ui.data.records import Record, read_records
    from qwen_ui.data.tokens import Example, make_examples

__all__ = [
    "Batch",
    "Example",
    "Examples",
    "Order",
    "Preview",
    "Record",
    "collate",
    "load_examples",
    "load_split",
    "make_examples",
    "preview_data",
    "read_records",
]
__getattr__ = lazy_face(
    __name__,
    {
        "Batch": "batches",
        "Example": "tokens",
        "Examples": "batches",
        "Order": "order",
        "Preview": "preview",
        "Record": "records",
        "collate": "batches",
        "load_examples": "batches",
        "load_split": "batches",
        "make_examples": "tokens",
        "preview_data": "preview",
        "read_records": "records",
    },
)
