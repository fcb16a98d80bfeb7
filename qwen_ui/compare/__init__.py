"""Several plans, one verdict: the same model, data, seeds and steps.

Called by the Compare tab and the command line. It starts runs through `workers` and writes one
file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.compare.comparison import (
        Comparison,
        Contender,
        begin,
        carry_on,
        latest_comparison,
        make_comparison,
        read_comparison,
        results,
        stop_all,
    )
    from qwen_ui.compare.rows import row_records, rows_of
    from qwen_ui.compare.verdict import comparison_record, headline, verdict_sentence

__all__ = [
    "Comparison",
    "Contender",
    "begin",
    "carry_on",
    "comparison_record",
    "headline",
    "latest_comparison",
    "make_comparison",
    "read_comparison",
    "results",
    "row_records",
    "rows_of",
    "stop_all",
    "verdict_sentence",
]
__getattr__ = lazy_face(
    __name__,
    {
        "Comparison": "comparison",
        "Contender": "comparison",
        "begin": "comparison",
        "carry_on": "comparison",
        "comparison_record": "verdict",
        "headline": "verdict",
        "latest_comparison": "comparison",
        "make_comparison": "comparison",
        "read_comparison": "comparison",
        "results": "comparison",
        "row_records": "rows",
        "rows_of": "rows",
        "stop_all": "comparison",
        "verdict_sentence": "verdict",
    },
)
