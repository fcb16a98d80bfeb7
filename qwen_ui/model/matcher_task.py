"""Regular expressions tried on names: the task that `matching` gives to a process with limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any


def match(patterns: list[str], names: list[str], method: str) -> dict[str, Any]:
    """{"found": of each pattern the indexes of names that match}, or {"wrong": [index, why]}."""
    return _each(
        patterns,
        lambda compiled: [
            index for index, name in enumerate(names) if getattr(compiled, method)(name)
        ],
    )


def matched_groups(patterns: list[str], names: list[str], group: str) -> dict[str, Any]:
    """{"found": of each pattern what its group holds in each name, or null}, or as `match`."""
    return _each(
        patterns,
        lambda compiled: [
            found[group] if (found := compiled.match(name)) else None for name in names
        ],
    )


def _each(patterns: list[str], find: Callable[[re.Pattern[str]], list[Any]]) -> dict[str, Any]:
    found = []
    for number, pattern in enumerate(patterns):
        try:
            found.append(find(re.compile(pattern)))
        except (re.error, RecursionError, OverflowError, MemoryError) as error:
            return {"wrong": [number, str(error) or type(error).__name__]}
    return {"found": found}
