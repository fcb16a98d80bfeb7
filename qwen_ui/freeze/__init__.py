"""What a choice means: plans, and the exact names that they train."""

from qwen_ui.freeze.canonical import canonical_plan
from qwen_ui.freeze.layers import format_layers, parse_layers
from qwen_ui.freeze.plan import FreezePlan, Rule
from qwen_ui.freeze.presets import default_layers, preset, preset_plans
from qwen_ui.freeze.resolve import Selection, apply, resolve

__all__ = [
    "FreezePlan",
    "Rule",
    "Selection",
    "apply",
    "canonical_plan",
    "default_layers",
    "format_layers",
    "parse_layers",
    "preset",
    "preset_plans",
    "resolve",
]
