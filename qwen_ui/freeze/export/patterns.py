"""Exact names -> a few regular expressions that match them and no other name of the model."""

from __future__ import annotations

import re
from collections.abc import Callable

from qwen_ui.freeze.canonical import grouped_kinds
from qwen_ui.freeze.selection import Selection


def anchored_patterns(selection: Selection, escape: Callable[[str], str]) -> list[str]:
    r"""Patterns such as `^model\.layers\.(24|25)\.self_attn\.q_proj\.bias$`, one a set of blocks.

    Indexes are written out, so that no number matches the beginning of another.

    Args:
        escape: makes a name literal in the dialect of the tool.
    """
    patterns = []
    stack, dot = escape(f"{selection.anatomy.stack}."), escape(".")
    for blocks, kinds in grouped_kinds(selection.anatomy, selection.names).items():
        where = "|".join(str(block) for block in blocks)
        what = "|".join(escape(kind) for kind in kinds)
        patterns.append(f"^{stack}({where}){dot}({what})$")
    outside = [p.name for p in selection.parameters if p.block is None]
    patterns += [f"^{escape(name)}$" for name in outside]
    return patterns


def one_regex(selection: Selection) -> str:
    """One regular expression for `re.search` over parameter names; for the plan's `regex`, too."""
    return "|".join(anchored_patterns(selection, re.escape)) or "(?!)"


def axolotl_patterns(selection: Selection) -> list[str]:
    """Axolotl takes every dot for a literal one (it escapes them), so names stay as they are."""
    return anchored_patterns(selection, str)


def axolotl_matches(patterns: list[str], name: str) -> bool:
    """Axolotl's rule (`axolotl.utils.freeze.LayerNamePattern`): dots are literal, `re.match`."""
    return any(re.match(p.replace(".", "\\."), name) is not None for p in patterns)
