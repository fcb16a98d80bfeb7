r"""One entry of Axolotl's `unfrozen_parameters`, and what it matches.

The rule (Axolotl 067b021, `axolotl/utils/freeze.py`, `LayerNamePattern`): a range in brackets at
the end (`[:32000]`) is taken off first and means rows of the tensor. In what is left, every dot
that no `+` follows is a literal dot, so that `.*` is any number of *dots* and a dot that was
escaped already is a backslash and any character. The pattern is matched from the beginning of the
name, and needs no end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from qwen_ui.errors import PlanError
from qwen_ui.model import match_names

_RANGE = re.compile(r"^(.+)\[([0-9]*)(?::([0-9]*))?\]$")


@dataclass(frozen=True, slots=True)
class AxolotlPattern:
    """One of `unfrozen_parameters`.

    Attributes:
        expression: the regular expression that Axolotl makes of it.
        rows: first row and the one after the last (None for all that follow); None for no range.
    """

    expression: str
    rows: tuple[int, int | None] | None

    def span(self, rows: int) -> range:
        """The rows that train, of a tensor with so many."""
        first, last = self.rows or (0, None)
        return range(first, rows if last is None else last)

    @classmethod
    def of(cls, written: str) -> AxolotlPattern:
        """The pattern of one entry.

        Raises:
            PlanError: a range that ends before it begins, which Axolotl refuses.
        """
        found = _RANGE.match(written)
        if found is None:
            return cls(_expression(written), None)
        base, start, end = found.groups()
        if end is None and start:
            return cls(_expression(base), (int(start), int(start) + 1))
        first, last = int(start or 0), int(end) if end else None
        if last is not None and first >= last:
            raise PlanError(f"Axolotl refuses '{written[:80]}': its range ends before it begins.")
        return cls(_expression(base), (first, last))


def _expression(pattern: str) -> str:
    return re.sub(r"\.(?!\+)", r"\\.", pattern)


def axolotl_matches(patterns: Sequence[str], names: Sequence[str]) -> list[list[int]]:
    """Of each pattern, the indexes of the names that Axolotl would train.

    Raises:
        PlanError: as `model.match_names`, or a range that Axolotl refuses.
    """
    return match_names([AxolotlPattern.of(p).expression for p in patterns], names, method="match")
