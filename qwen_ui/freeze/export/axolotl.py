"""A selection as Axolotl's `unfrozen_parameters`; its rule stands in `freeze.tools.axolotl`."""

from __future__ import annotations

from qwen_ui.freeze.selection import Selection
from qwen_ui.model import anchored_patterns


def axolotl_patterns(selection: Selection) -> list[str]:
    """Patterns that train exactly the selection; names stand as they are, dots unescaped."""
    return anchored_patterns((p.name for p in selection.parameters), str)
