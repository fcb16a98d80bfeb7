"""LISA (arXiv 2403.17919): a few blocks at a time, drawn anew, and all that is outside them always.

As ms-swift (3602360, `swift/callbacks/lisa.py`) and Axolotl (067b021,
`axolotl/utils/callbacks/lisa.py`) do it: all modules of one list are frozen, some of them are drawn
every so many steps; what is not in the list is left as it was, trained.
"""

from __future__ import annotations

from dataclasses import replace

from qwen_ui.freeze.tools.findings import Entry, Problem, Reading
from qwen_ui.freeze.tools.parts import parts_of
from qwen_ui.model import Anatomy


def with_lisa(
    reading: Reading, anatomy: Anatomy, setting: str, drawn: int, among: str | None = None
) -> Reading:
    """The reading with what LISA trains over a whole run: every block comes up sooner or later.

    Args:
        drawn: how many at a time.
        among: name of the list that they are drawn from; None for the first list of the model,
            which is what ms-swift takes.
    """
    lists = [part.name for part in parts_of(anatomy).listed if part.class_name == "ModuleList"]
    chosen = next(iter(lists), "") if among is None else among
    if chosen not in lists:
        told = Problem(
            "error",
            f"LISA stops: {anatomy.source} has no list of modules '{chosen}'. Its blocks are in "
            f"{_holder(anatomy) or 'none'}.",
        )
        return replace(reading, problems=(*reading.problems, told))
    inside = tuple(p.name for p in anatomy.parameters if p.name.startswith(f"{chosen}."))
    count = len({name.removeprefix(f"{chosen}.").partition(".")[0] for name in inside})
    outside = reading.whole - frozenset(inside)
    problems = [
        Problem(
            "note",
            f"LISA trains {drawn:,} of {count:,} blocks at a time, and at every step what is "
            f"outside the blocks: {', '.join(sorted(outside)[:4]) or 'nothing here'}.",
        ),
        Problem(
            "warning",
            "Over a run every block trains, so the names are those of all blocks. A block that is "
            "drawn later trains only if the optimizer was made with its tensors "
            "(modelscope/ms-swift#10140).",
        ),
    ]
    if chosen != _holder(anatomy):
        problems.append(
            Problem(
                "warning",
                f"LISA draws from '{chosen}', which is not where the blocks are "
                f"({_holder(anatomy) or 'none'}): these train at every step.",
            )
        )
    if not 0 < drawn <= count:
        problems.append(
            Problem(
                "error",
                f"{drawn:,} blocks cannot be drawn: {anatomy.source} has {count:,}.",
            )
        )
    return replace(
        reading,
        entries=(*reading.entries, Entry(setting, str(drawn), inside)),
        whole=outside | frozenset(inside),
        problems=(*reading.problems, *problems),
    )


def _holder(anatomy: Anatomy) -> str:
    """Name of the list that the blocks are in; empty where there are none."""
    return anatomy.blocks[0].name.rpartition(".")[0] if anatomy.blocks else ""
