"""Parameter names -> regular expressions that match exactly these, whatever the tool."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_INDEX = re.compile(r"(?<=\.)\d+(?=\.)")
_NOTHING = r"(?!)"


def pattern_for(names: Iterable[str]) -> str:
    """One regular expression for these names, for `re.search` and `re.match` alike.

    No names give a pattern that matches nothing. See `anchored_patterns`.
    """
    return "|".join(anchored_patterns(names)) or _NOTHING


def anchored_patterns(names: Iterable[str], escape: Callable[[str], str] = re.escape) -> list[str]:
    r"""Patterns such as `^model\.layers\.(24|25)\.(self_attn\.q_proj\.bias)$` for these names.

    Names that differ in their first index alone share a pattern, and so do all that have the same
    indexes. Indexes are written out, so that no number matches the beginning of another.

    Args:
        escape: makes a name literal in the dialect of the tool.
    """
    indexes: dict[tuple[str, str], list[str]] = {}
    plain: list[str] = []
    for name in dict.fromkeys(names):
        found = _INDEX.search(name)
        if found is None:
            plain.append(name)
        else:
            around = (name[: found.start()], name[found.end() + 1 :])
            indexes.setdefault(around, []).append(found[0])
    ends: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (start, end), numbers in indexes.items():
        ends.setdefault((start, tuple(sorted(numbers, key=int))), []).append(escape(end))
    return [
        f"^{escape(start)}({'|'.join(numbers)}){escape('.')}({'|'.join(alike)})$"
        for (start, numbers), alike in ends.items()
    ] + [f"^{escape(name)}$" for name in plain]


def block_pattern(stack: str) -> str:
    """The beginning of every name in the blocks of this stack.

    Its group is the block's index, to be read as a whole number.
    """
    return rf"^{re.escape(stack)}\.(\d+)\."
