"""What one training step of a plan computes and holds in memory, from fake tensors alone.

Called by pages, commands, the engine (which says how it differs from a plain loop) and the memory
advice of `workers`. It traces weightless modules and touches no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.freeze.cost.estimate import estimate_cost, full_cost, price
    from qwen_ui.freeze.cost.optimizers import optimizer_names
    from qwen_ui.freeze.cost.step import (
        MAX_CHUNKED_TOKENS,
        MAX_TOKENS,
        OVERHEAD_BYTES,
        Cost,
        Engine,
        StepSettings,
    )
    from qwen_ui.freeze.cost.streaming import (
        WORTHWHILE,
        PassTime,
        Speed,
        Way,
        choose_way,
        pass_time,
        streamed_parameters,
        streamed_sentence,
    )

__all__ = [
    "MAX_CHUNKED_TOKENS",
    "MAX_TOKENS",
    "OVERHEAD_BYTES",
    "WORTHWHILE",
    "Cost",
    "Engine",
    "PassTime",
    "Speed",
    "StepSettings",
    "Way",
    "choose_way",
    "estimate_cost",
    "full_cost",
    "optimizer_names",
    "pass_time",
    "price",
    "streamed_parameters",
    "streamed_sentence",
]
__getattr__ = lazy_face(__name__, __file__)
