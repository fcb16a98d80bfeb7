"""LISA (arXiv 2403.17919): a few blocks at a time, drawn anew, and all that is outside them always.

As ms-swift (3602360, `swift/callbacks/lisa.py`) and Axolotl (067b021,
`axolotl/utils/callbacks/lisa.py`) do it: all blocks are frozen, some are drawn every so many steps;
what is not in a block is left as it was, trained.
"""

from __future__ import annotations

from dataclasses import replace

from qwen_ui.freeze.tools.findings import Entry, Problem, Reading
from qwen_ui.model import Anatomy


def with_lisa(reading: Reading, anatomy: Anatomy, setting: str, blocks: int) -> Reading:
    """The reading with what LISA trains over a whole run: every block comes up sooner or later."""
    inside = tuple(p.name for p in anatomy.parameters if p.block is not None)
    outside = frozenset(p.name for p in anatomy.parameters if p.block is None) & reading.whole
    entry = Entry(setting, str(blocks), inside)
    problems = [
        Problem(
            "note",
            f"LISA trains {blocks} of {anatomy.block_count} blocks at a time, and at every step "
            f"what is outside the blocks: {', '.join(sorted(outside)[:4]) or 'nothing here'}.",
        ),
        Problem(
            "warning",
            "Over a run every block trains, so the names are those of all blocks. A block that is "
            "drawn later trains only if the optimizer was made with its tensors "
            "(modelscope/ms-swift#10140).",
        ),
    ]
    if blocks > anatomy.block_count:
        problems.append(
            Problem(
                "error",
                f"{blocks} blocks cannot be drawn: {anatomy.source} has {anatomy.block_count}.",
            )
        )
    return replace(
        reading,
        entries=(*reading.entries, entry),
        whole=outside | frozenset(inside),
        problems=(*reading.problems, *problems),
    )
