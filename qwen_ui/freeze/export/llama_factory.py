"""A selection as settings of LLaMA-Factory's freeze tuning, where these can express it.

Its rule stands in `freeze.tools.llama_factory`. Modules are children of a block; extra modules are
the last part but one of a name outside.
"""

from __future__ import annotations

import re

from qwen_ui.freeze.selection import Selection
from qwen_ui.freeze.tools.llama_factory import FreezeSettings
from qwen_ui.model import Anatomy


def freeze_settings(selection: Selection) -> FreezeSettings | None:
    """Settings that train exactly this selection; None where there are none."""
    anatomy = selection.anatomy
    blocks = sorted({p.block for p in selection.parameters if p.block is not None})
    count = anatomy.block_count
    if not blocks or blocks != list(range(blocks[0], blocks[-1] + 1)):
        return None
    if blocks[-1] == count - 1:
        layers = len(blocks)
    elif blocks[0] == 0:
        layers = -len(blocks)
    else:
        return None
    inside = [p for p in anatomy.parameters if p.block == blocks[0]]
    children = dict.fromkeys(p.kind.partition(".")[0] for p in inside)
    trained = {p.kind.partition(".")[0] for p in selection.parameters if p.block is not None}
    modules = ("all",) if trained == set(children) else tuple(c for c in children if c in trained)
    extra = tuple(p.module.rpartition(".")[2] for p in selection.parameters if p.block is None)
    settings = FreezeSettings(layers, modules, tuple(dict.fromkeys(extra)))
    return settings if _trained_names(settings, anatomy) == selection.names else None


def _trained_names(settings: FreezeSettings, anatomy: Anatomy) -> frozenset[str]:
    names = (p.name for p in anatomy.parameters)
    return frozenset(n for n in names if settings.matches(anatomy.block_count, n))


def why_not(selection: Selection) -> str:
    """Why freeze tuning cannot express the selection, in one sentence."""
    blocks = {p.block for p in selection.parameters if p.block is not None}
    count = selection.anatomy.block_count
    ends = (frozenset(range(n)) for n in range(1, count + 1))
    if blocks and not any(blocks in (end, frozenset(count - 1 - i for i in end)) for end in ends):
        return "it trains the first n or the last n blocks alone, and this plan trains others"
    if not blocks:
        return "it always trains blocks, and this plan trains none"
    kinds = {p.kind for p in selection.parameters if p.block is not None}
    if any(re.search(r"\.(weight|bias)$", kind) for kind in kinds):
        return (
            "it trains whole children of a block (self_attn, mlp, input_layernorm), the same ones "
            "in every block, and takes extra modules by a part of their name"
        )
    return "its patterns would match other parameters, too"
