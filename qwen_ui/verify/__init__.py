"""Whether a tuned checkpoint is what its plan allows: every tensor beside the base's.

Called by `ui` and `cli`. It reads weight files, adapters that peft saved and deltas of runs, a
piece of a tensor at a time, and writes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.verify.pairs import OnProgress
    from qwen_ui.verify.record import (
        COLUMNS,
        by_size,
        change_cells,
        headline,
        verification_markdown,
        verification_record,
    )
    from qwen_ui.verify.verification import Problem, Verification
    from qwen_ui.verify.verifying import verify, verify_run

__all__ = [
    "COLUMNS",
    "OnProgress",
    "Problem",
    "Verification",
    "by_size",
    "change_cells",
    "headline",
    "verification_markdown",
    "verification_record",
    "verify",
    "verify_run",
]
__getattr__ = lazy_face(__name__, __file__)
