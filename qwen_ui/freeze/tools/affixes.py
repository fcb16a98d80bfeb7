"""Names by how they begin or end, found without comparing each name with each text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable


class Beginnings:
    """Names that begin with a text, letter by letter."""

    def __init__(self, names: Iterable[str]) -> None:
        self._sorted = sorted(names)

    def having(self, text: str) -> list[str]:
        """The names that begin with the text, in alphabetical order."""
        first = last = bisect_left(self._sorted, text)
        while last < len(self._sorted) and self._sorted[last].startswith(text):
            last += 1
        return self._sorted[first:last]


class Ends:
    """Names that end with a text, letter by letter."""

    def __init__(self, names: Iterable[str]) -> None:
        self._reversed = Beginnings(name[::-1] for name in names)

    def having(self, text: str) -> list[str]:
        """The names that end with the text, in any order."""
        return [name[::-1] for name in self._reversed.having(text[::-1])]


class DottedEnds:
    """Names that are a text, or end with a dot and the text."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_end: dict[str, list[str]] = {}
        for name in names:
            end, rest = name, "."
            while rest:
                self._by_end.setdefault(end, []).append(name)
                _, rest, end = end.partition(".")

    def having(self, text: str) -> list[str]:
        """The names, in the order in which they were given."""
        return self._by_end.get(text, [])
