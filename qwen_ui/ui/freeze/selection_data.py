"""Anatomy and selection in the shape that the selector's JavaScript keeps them.

The browser gets a model's structure once: a number a tensor, in the anatomy's order. From then on
a selection travels as ranges of these numbers (`0-3,8`), in both directions: it is exact, it needs
no rule language in the browser, and Python makes the short plan of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from qwen_ui import freeze, model  # lazily: they need torch, drawing the page does not
from qwen_ui.errors import PlanError
from qwen_ui.formats import index_ranges

if TYPE_CHECKING:
    from qwen_ui.freeze import Selection
    from qwen_ui.model import Anatomy

MAX_RANGES_TEXT = 1 << 20
_RANGE = re.compile(r"(\d{1,8})(?:-(\d{1,8}))?")


def structure_record(anatomy: Anatomy) -> dict[str, Any]:
    """What the browser needs to draw grid and tree.

    `kinds` lists (kind, role, shape) once each; `block` (-1 outside the blocks) and `kind` (index
    into `kinds`) have an entry a tensor; `aliases` are [tensor, other name] pairs; `unreached` are
    the tensors that text gives no gradient, as ranges. Inside a block a tensor's name is
    `stack.block.kind`, outside it is its kind.
    """
    kinds: dict[tuple[str, str, tuple[int, ...]], int] = {}
    blocks, indexes = [], []
    for parameter in anatomy.parameters:
        key = (parameter.kind, str(parameter.role), parameter.shape)
        blocks.append(-1 if parameter.block is None else parameter.block)
        indexes.append(kinds.setdefault(key, len(kinds)))
    return {
        "source": anatomy.source,
        "stack": anatomy.stack,
        "blocks": anatomy.block_count,
        "total": anatomy.total_parameters,
        "kinds": [[kind, role, list(shape)] for kind, role, shape in kinds],
        "block": blocks,
        "kind": indexes,
        "aliases": [
            [index, alias]
            for index, parameter in enumerate(anatomy.parameters)
            for alias in parameter.aliases
        ],
        "unreached": ranges_of(anatomy, model.unreached(anatomy)),
    }


def ranges_of(anatomy: Anatomy, names: Iterable[str]) -> str:
    """These tensors (first names) as ranges of their numbers: `0-3,8`; empty for none."""
    chosen = frozenset(names)
    numbers = (index for index, p in enumerate(anatomy.parameters) if p.name in chosen)
    return index_ranges(numbers, separator=",")


def names_of(anatomy: Anatomy, ranges: str) -> frozenset[str]:
    """The inverse of `ranges_of`.

    Raises:
        PlanError: the text is no list of ranges, or names a tensor that this model does not have.
    """
    if len(ranges) > MAX_RANGES_TEXT:
        raise PlanError("The selection is too long to be one of this model. Reload the page.")
    names: set[str] = set()
    for term in ranges.split(",") if ranges else ():
        match = _RANGE.fullmatch(term)
        start = int(match[1]) if match else 0
        end = int(match[2] or match[1]) if match else -1
        if not start <= end < len(anatomy.parameters):
            raise PlanError(
                f"'{term[:40]}' is no range of this model's {len(anatomy.parameters):,} tensors. "
                "Reload the page and tick again."
            )
        names.update(parameter.name for parameter in anatomy.parameters[start : end + 1])
    return frozenset(names)


def chosen(selection: Selection) -> dict[str, Any]:
    """A selection as the browser takes it over."""
    anatomy = selection.anatomy
    short = freeze.resolve(freeze.canonical_plan(anatomy, selection.names), anatomy)
    return {
        "ranges": ranges_of(anatomy, selection.names),
        "name": selection.plan.name,
        "unmatched": [text for text in selection.warnings if text not in short.warnings],
    }
