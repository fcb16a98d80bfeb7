"""One training, step by step: shortcuts proven on the first batch, then the loop.

Called by the worker process; pages and commands ask it for a checked spec, learning rates, prices
and merged deltas. It loads weights, writes to its run through `runs.RunWriter`, and caches outputs
of frozen blocks under `home()`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.engine.delta import apply_delta, delta_file
    from qwen_ui.engine.rate_finder import search_steps
    from qwen_ui.engine.rate_search import RateSearch
    from qwen_ui.engine.rates import SuggestedRate, suggest_learning_rate
    from qwen_ui.engine.request import (
        check_spec,
        check_spec_within_limits,
        checked_spec,
    )
    from qwen_ui.engine.setup import Prepared, set_up
    from qwen_ui.engine.step_price import as_worker, auto_dtype, step_of
    from qwen_ui.engine.trainer import Trainer

__all__ = [
    "Prepared",
    "RateSearch",
    "SuggestedRate",
    "Trainer",
    "apply_delta",
    "as_worker",
    "auto_dtype",
    "check_spec",
    "check_spec_within_limits",
    "checked_spec",
    "delta_file",
    "search_steps",
    "set_up",
    "step_of",
    "suggest_learning_rate",
]
__getattr__ = lazy_face(__name__, __file__)
