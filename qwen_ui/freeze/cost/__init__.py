"""What one training step of a plan computes and holds, from fake tensors alone.

Called by pages, the command line and memory advice; it traces weightless modules and touches no
file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.freeze.cost.estimate import estimate_cost, full_cost, price
    from qwen_ui.freeze.cost.optimizers import optimizer_bytes, optimizer_names
    from qwen_ui.freeze.cost.step import MAX_TOKENS, Cost, Engine, StepSettings

__all__ = [
    "MAX_TOKENS",
    "Cost",
    "Engine",
    "StepSettings",
    "estimate_cost",
    "full_cost",
    "optimizer_bytes",
    "optimizer_names",
    "price",
]
__getattr__ = lazy_face(
    __name__,
    {
        "MAX_TOKENS": "step",
        "Cost": "step",
        "Engine": "step",
        "StepSettings": "step",
        "estimate_cost": "estimate",
        "full_cost": "estimate",
        "optimizer_bytes": "optimizers",
        "optimizer_names": "optimizers",
        "price": "estimate",
    },
)
