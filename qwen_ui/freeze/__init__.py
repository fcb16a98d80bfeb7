"""What a choice means: plans, and the exact parameter names that they train.

`resolve` alone decides what trains; every other room and page asks it. Pure: no files, no
processes. What a step costs: `freeze.cost`. Plans for and from other tools: `freeze.export`.
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
    from qwen_ui.freeze.plan import FreezePlan, Rule
    from qwen_ui.freeze.presets import default_layers, preset, preset_plans
    from qwen_ui.freeze.selection import Selection, apply, resolve

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
__getattr__ = lazy_face(
    __name__,
    {
        "Cost": "cost.step",
        "FreezePlan": "plan",
        "Rule": "plan",
        "Selection": "selection",
        "StepSettings": "cost.step",
        "apply": "selection",
        "canonical_plan": "canonical",
        "default_layers": "presets",
        "estimate_cost": "cost.estimate",
        "export_formats": "export.formats",
        "export_text": "export.formats",
        "format_layers": "layers",
        "full_cost": "cost.estimate",
        "import_plan": "export.importing",
        "moved_to_blocks": "canonical",
        "parse_layers": "layers",
        "preset": "presets",
        "preset_plans": "presets",
        "resolve": "selection",
    },
)
