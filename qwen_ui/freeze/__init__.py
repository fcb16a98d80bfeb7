"""What a choice means: plans, and the exact parameter names that they train.

`resolve` alone decides what trains. Called by every later room; it works on an anatomy and touches
no file, process or network. The price of a step is `freeze.cost`, plans for and from other
tools are `freeze.export`; what most callers need of both is offered here as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.freeze.canonical import canonical_plan, moved_to_blocks
    from qwen_ui.freeze.cost.estimate import estimate_cost, full_cost
    from qwen_ui.freeze.cost.step import Cost, StepSettings
    from qwen_ui.freeze.export.formats import export_formats, export_text
    from qwen_ui.freeze.export.importing import import_plan
    from qwen_ui.freeze.layers import format_layers, parse_layers
    from qwen_ui.freeze.plan import MAX_IMPORT_BYTES, MAX_PLAN_BYTES, FreezePlan, Rule
    from qwen_ui.freeze.presets import TOP_BLOCKS, TOP_LAYERS, default_layers, preset, preset_plans
    from qwen_ui.freeze.selection import Selection, apply, resolve

__all__ = [
    "MAX_IMPORT_BYTES",
    "MAX_PLAN_BYTES",
    "TOP_BLOCKS",
    "TOP_LAYERS",
    "Cost",
    "FreezePlan",
    "Rule",
    "Selection",
    "StepSettings",
    "apply",
    "canonical_plan",
    "default_layers",
    "estimate_cost",
    "export_formats",
    "export_text",
    "format_layers",
    "full_cost",
    "import_plan",
    "moved_to_blocks",
    "parse_layers",
    "preset",
    "preset_plans",
    "resolve",
]
__getattr__ = lazy_face(__name__, __file__)
