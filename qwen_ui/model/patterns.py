"""A list of parameter names -> one regular expression that matches exactly these."""

from __future__ import annotations

import re
from collections.abc import Iterable

_INDEX = re.compile(r"(?<=\.)\d+(?=\.)")


def pattern_for(names: Iterable[str]) -> str:
    """An anchored regular expression for these names, block indexes gathered.

    Names that differ in their first index alone share an alternative:
    `^model\\.layers\\.(?:24|25)\\.self_attn\\.q_proj\\.bias$`. It matches nothing else, so that
    `layers.2` never takes `layers.24` along. An empty list gives a pattern that matches nothing.
    """
    indexes: dict[tuple[str, str], list[str]] = {}
    plain: list[str] = []
    for name in dict.fromkeys(names):
        found = _INDEX.search(name)
        if found is None:
            plain.append(re.escape(name))
        else:
            ends = (name[: found.start()], name[found.end() :])
            indexes.setdefault(ends, []).append(found.group())
    tails: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (head, tail), numbers in indexes.items():
        tails.setdefault((head, tuple(numbers)), []).append(re.escape(tail))
    parts = plain + [
        f"{re.escape(head)}{_one_of(list(numbers))}{_one_of(ends)}"
        for (head, numbers), ends in tails.items()
    ]
    return f"^{_one_of(parts)}$" if parts else r"(?!)"


def _one_of(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
