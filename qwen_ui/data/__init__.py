"""Data files of any common form -> token sequences with a loss mask -> batches.

Called by the engine, the ranking and the data preview. It reads files and the hub's cache and
writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.data.batches import IGNORED, Batch, Examples, collate, load_examples
    from qwen_ui.data.columns import parse_columns
    from qwen_ui.data.files import DATA_SUFFIXES
    from qwen_ui.data.kept_text import load_kept_text, shared_note
    from qwen_ui.data.measured import measured_part
    from qwen_ui.data.measuring import Measure, measure_data, mistakes_in
    from qwen_ui.data.order import Order
    from qwen_ui.data.preview import Preview, preview_data
    from qwen_ui.data.reading import check_data, data_path, shipped_data
    from qwen_ui.data.split import load_split
    from qwen_ui.data.tokens import Example
    from qwen_ui.data.vocabulary import has_ids_beyond, padding_id, refuse_ids_beyond
    from qwen_ui.data.within_limits import (
        check_within_limits,
        measure_within_limits,
        mistakes_within_limits,
        preview_within_limits,
    )

__all__ = [
    "DATA_SUFFIXES",
    "IGNORED",
    "Batch",
    "Example",
    "Examples",
    "Measure",
    "Order",
    "Preview",
    "check_data",
    "check_within_limits",
    "collate",
    "data_path",
    "has_ids_beyond",
    "load_examples",
    "load_kept_text",
    "load_split",
    "measure_data",
    "measure_within_limits",
    "measured_part",
    "mistakes_in",
    "mistakes_within_limits",
    "padding_id",
    "parse_columns",
    "preview_data",
    "preview_within_limits",
    "refuse_ids_beyond",
    "shared_note",
    "shipped_data",
]
__getattr__ = lazy_face(__name__, __file__)
