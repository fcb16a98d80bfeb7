"""What the presets train on the last blocks: the choices that the report explains and checks.

`freeze.resolve` decides; nothing here looks at roles or names of parameters.
"""

from __future__ import annotations

from qwen_ui.errors import PlanError
from qwen_ui.freeze import TOP_LAYERS, Selection, parse_layers, preset, resolve
from qwen_ui.model import Anatomy


def top_selection(anatomy: Anatomy, name: str) -> Selection | None:
    """What the preset of this name trains on the last blocks; None where that is nothing."""
    try:
        return resolve(preset(name, TOP_LAYERS), anatomy)
    except PlanError:
        # `resolve` refuses a plan that trains nothing: a model without biases has no BitFit.
        return None


def top_blocks(anatomy: Anatomy) -> tuple[int, ...]:
    """Indexes of the last blocks, ascending; fewer in a model that has fewer."""
    return tuple(sorted(parse_layers(TOP_LAYERS, anatomy.block_count)))
