"""Blocks whose key projection is the value projection, too: one name, two meanings.

Gemma 4 leaves out `v_proj` in its full-attention blocks where `attention_k_eq_v` is set, and takes
the keys for values (transformers 5.24, `models/gemma4/modeling_gemma4.py`, `Gemma4TextAttention`);
adapters on q and v then miss them in silence (huggingface/peft#3658).
"""

from __future__ import annotations

from collections.abc import Iterator

from qwen_ui.formats import index_ranges
from qwen_ui.freeze.tools.findings import Problem
from qwen_ui.model import Anatomy, language_config


def keys_are_values(names: frozenset[str], anatomy: Anatomy) -> Iterator[Problem]:
    """What a selection of keys or of values means where both are one matrix."""
    if not language_config(anatomy.config).get("attention_k_eq_v"):
        return
    blocks = {leaf: _having(anatomy, leaf) for leaf in ("k_proj", "v_proj")}
    shared = sorted(set(blocks["k_proj"]) - set(blocks["v_proj"]))
    if not shared:
        return
    where = index_ranges(shared)
    keys = [blocks["k_proj"][b] in names for b in shared]
    values = any(name in names for name in blocks["v_proj"].values())
    if any(keys):
        yield Problem(
            "warning",
            f"In blocks {where} k_proj is also the value matrix: what trains it changes keys and "
            "values at once (huggingface/peft#3658).",
        )
    if values and not all(keys):
        yield Problem(
            "warning",
            f"In blocks {where} there is no v_proj, for k_proj is the value matrix: the values of "
            "these blocks do not train with this selection (huggingface/peft#3658).",
        )


def _having(anatomy: Anatomy, leaf: str) -> dict[int, str]:
    """Block -> name of the weight of its layer of this name."""
    return {
        p.block: p.name
        for p in anatomy.parameters
        if p.block is not None and p.kind.endswith(f"{leaf}.weight")
    }
