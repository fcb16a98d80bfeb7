"""Sanity checks on the names of blocks: does one pattern match them all, and does it stay exact?"""

from __future__ import annotations

import re

from qwen_ui.formats import index_ranges
from qwen_ui.model import Anatomy, block_pattern


def check_pattern(anatomy: Anatomy) -> tuple[bool, str]:
    """Whether one pattern with a whole number in it matches every block and nothing else."""
    if not anatomy.blocks:
        return False, "The model has no list of blocks."
    pattern = block_pattern(anatomy.stack)
    indexes = {int(found[1]) for p in anatomy.parameters if (found := re.match(pattern, p.name))}
    expected = {block.index for block in anatomy.blocks if block.parameters}
    kinds = [frozenset(p.kind for p in anatomy.parameters if p.block == i) for i in expected]
    forms = len(set(kinds))
    alike = (
        "all have the same kinds" if forms == 1 else f"they have {forms} different sets of kinds"
    )
    return indexes == expected, (
        f"`{pattern}` matches blocks {index_ranges(sorted(indexes)) or 'none'} of "
        f"{anatomy.block_count}; {alike}."
    )


def check_collisions(anatomy: Anatomy) -> tuple[bool, str]:
    """Whether an index read as a whole number means its own block alone, where text would not."""
    pattern = re.compile(block_pattern(anatomy.stack))
    for block in anatomy.blocks:
        parsed = {p.name for p in anatomy.parameters if _index(pattern, p.name) == block.index}
        own = {p.name for p in anatomy.parameters if p.block == block.index}
        if parsed != own:
            return False, f"Index {block.index} takes {len(parsed)} names, block has {len(own)}."
    index = 2 if anatomy.block_count > 2 else 0
    start = f"{anatomy.stack}.{index}"
    loose = [p.block for p in anatomy.parameters if start in p.name]
    exact = sum(1 for p in anatomy.parameters if p.block == index)
    also = sorted({block for block in loose if block is not None and block != index})
    if not also:
        return True, f"Yes: even the text `{start}` is found in block {index} alone."
    return True, (
        f"Read as whole numbers, yes: block {index} has {exact} names. As text, no: `{start}` is "
        f"found in {len(loose)} names, of blocks {index} and {index_ranges(also)}."
    )


def _index(pattern: re.Pattern[str], name: str) -> int | None:
    found = pattern.match(name)
    return int(found[1]) if found else None
