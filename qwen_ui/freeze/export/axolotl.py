"""Axolotl's `unfrozen_parameters`: patterns over names, by its own rule.

The rule (`axolotl.utils.freeze.LayerNamePattern`): every dot is literal, and `re.match`.
"""

from __future__ import annotations

from collections.abc import Sequence

from qwen_ui.freeze.selection import Selection
from qwen_ui.model import anchored_patterns, match_names


def axolotl_patterns(selection: Selection) -> list[str]:
    """Patterns that train exactly the selection; names stand as they are, dots unescaped."""
    return anchored_patterns((p.name for p in selection.parameters), str)


def axolotl_matches(patterns: Sequence[str], names: Sequence[str]) -> list[list[int]]:
    """Of each pattern, the indexes of the names that Axolotl would train.

    Raises:
        PlanError: as `model.match_names`.
    """
    return match_names([p.replace(".", "\\.") for p in patterns], names, method="match")
