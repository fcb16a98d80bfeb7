"""Layer expressions: `all`, `none`, `24-27`, `0,4,8-11`, `last:4`, `first:4`, `every:4`.

Terms are separated by commas and mean their union. Indexes count from 0; ranges include both ends.
`every:4` is 0, 4, 8, ... Blocks that a model does not have are left out: an expression written for
28 blocks is valid for 24.
"""

from __future__ import annotations

import re

from qwen_ui.errors import PlanError
from qwen_ui.formats import index_ranges

MAX_LENGTH = 4000
_COUNTED = re.compile(r"(last|first|every):(\d{1,6})")
_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_HELP = "Write for instance all, none, 24-27, 0,4,8-11, last:4, first:4 or every:4."


def parse_layers(expression: str, block_count: int) -> frozenset[int]:
    """Indexes of the blocks that the expression names, all in 0..block_count-1.

    Raises:
        PlanError: a term of none of the forms, a range that runs backwards, or `every:0`.
    """
    if len(expression) > MAX_LENGTH:
        raise PlanError(f"The layer expression is longer than {MAX_LENGTH} characters.")
    indexes: set[int] = set()
    for term in expression.replace(" ", "").lower().split(","):
        indexes |= _parse_term(term, block_count, expression)
    return frozenset(indexes)


def _parse_term(term: str, block_count: int, expression: str) -> set[int]:
    if term == "all":
        return set(range(block_count))
    if term == "none":
        return set()
    if counted := _COUNTED.fullmatch(term):
        word, count = counted[1], int(counted[2])
        if word == "every":
            if count == 0:
                raise PlanError(f"'every:0' in '{expression}' never ends. {_HELP}")
            return set(range(0, block_count, count))
        start = max(block_count - count, 0) if word == "last" else 0
        end = min(count, block_count) if word == "first" else block_count
        return set(range(start, end))
    if ranged := _RANGE.fullmatch(term):
        start = int(ranged[1])
        end = int(ranged[2]) if ranged[2] else start
        if end < start:
            raise PlanError(f"'{term}' in '{expression}' runs backwards. Write {end}-{start}.")
        return set(range(start, min(end, block_count - 1) + 1))
    raise PlanError(f"'{term}' in the layer expression '{expression}' is not understood. {_HELP}")


def format_layers(
    indexes: frozenset[int], block_count: int, *, among: frozenset[int] | None = None
) -> str:
    """The shortest expression for these blocks; the inverse of `parse_layers`.

    Args:
        among: the blocks that matter (those that have a kind). The expression may name others too:
            in a stack where every second block has attention, `last:4` has two of them.
    """
    everything = frozenset(range(block_count)) if among is None else among
    if not indexes:
        return "none"
    if indexes == everything:
        return "all"
    first = min(indexes)
    if indexes == frozenset(i for i in everything if i >= first):
        return f"last:{block_count - first}"
    last = max(indexes)
    if indexes == frozenset(i for i in everything if i <= last):
        return f"first:{last + 1}"
    return index_ranges(sorted(indexes), separator=",")
