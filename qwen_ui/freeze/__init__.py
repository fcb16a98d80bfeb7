"""What a choice means: plans, and the exact names that they train.

Names are imported when they are first asked for: a plan needs no torch, only resolving it does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qwen_ui.freeze.canonical import canonical_plan
    from qwen_ui.freeze.cost import Cost, StepSettings, estimate_cost, full_cost
    from qwen_ui.freeze.exports import export, export_formats
    from qwen_ui.freeze.importing import import_plan
    from qwen_ui.freeze.layers import format_layers, parse_layers
    from qwen_ui.freeze.plan import FreezePlan, Rule
    from qwen_ui.freeze.presets import default_layers, preset, preset_plans
    from qwen_ui.freeze.selection import Selection, apply, resolve

_HOMES = {
    "canonical_plan": "canonical",
    "Cost": "cost",
    "StepSettings": "cost",
    "estimate_cost": "cost",
    "full_cost": "cost",
    "export": "exports",
    "export_formats": "exports",
    "import_plan": "importing",
    "format_layers": "layers",
    "parse_layers": "layers",
    "FreezePlan": "plan",
    "Rule": "plan",
    "default_layers": "presets",
    "preset": "presets",
    "preset_plans": "presets",
    "Selection": "selection",
    "apply": "selection",
    "resolve": "selection",
}
__all__ = [
    "Cost",
    "FreezePlan",
    "Rule",
    "Selection",
    "StepSettings",
    "apply",
    "canonical_plan",
    "default_layers",
    "estimate_cost",
    "export",
    "export_formats",
    "format_layers",
    "full_cost",
    "import_plan",
    "parse_layers",
    "preset",
    "preset_plans",
    "resolve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
