"""Regular expressions tried on names: the task that `matching` gives to a process with limits."""

from __future__ import annotations

import re
from typing import Any


def match(method: str, patterns: list[str], names: list[str]) -> dict[str, Any]:
    """{"found": of each pattern the indexes of names that match}, or {"wrong": [index, why]}."""
    found = []
    for number, pattern in enumerate(patterns):
        try:
            test = getattr(re.compile(pattern), method)
            found.append([index for index, name in enumerate(names) if test(name)])
        except (re.error, RecursionError, OverflowError, MemoryError) as error:
            return {"wrong": [number, str(error) or type(error).__name__]}
    return {"found": found}
