"""Axolotl's `unfrozen_parameters`: patterns over names, by its own rule.

The rule (`axolotl.utils.freeze.LayerNamePattern`): every dot is literal, and `re.match`.
"""

from __future__ import annotations

import re

from qwen_ui.freeze.selection import Selection
from qwen_ui.model import anchored_patterns


def axolotl_patterns(selection: Selection) -> list[str]:
    """Patterns that train exactly the selection; names stand as they are, dots unescaped."""
    return anchored_patterns((p.name for p in selection.parameters), str)


def axolotl_matches(patterns: list[str], name: str) -> bool:
    """Whether Axolotl would train the parameter of this name."""
    return any(re.match(p.replace(".", "\\."), name) is not None for p in patterns)
