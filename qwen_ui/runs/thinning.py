"""A line of a chart with fewer points that looks the same: the extremes of every bucket."""

from __future__ import annotations

from collections.abc import Sequence

MOST_POINTS = 1200

Line = tuple[list[float], list[float | None]]


def thinned(line: Line, most: int = MOST_POINTS) -> Line:
    """At most this many points, the smallest and the largest of every bucket among them.

    A line that is short enough is returned as it is. The first and the last point always stay, and
    gaps (None) are dropped from buckets that have values.
    """
    x, y = line
    if len(x) <= most:
        return line
    buckets = max(1, (most - 2) // 2)
    keep = {0, len(x) - 1}
    for bucket in range(buckets):
        first, last = bucket * len(x) // buckets, (bucket + 1) * len(x) // buckets
        keep |= _extremes(y, first, last)
    rows = sorted(keep)
    return [x[row] for row in rows], [y[row] for row in rows]


def _extremes(y: Sequence[float | None], first: int, last: int) -> set[int]:
    """Where the smallest and the largest of these are, or the first where all are gaps."""
    part = y[first:last]
    values = [value for value in part if value is not None]
    if not values:
        return {first}
    return {first + part.index(min(values)), first + part.index(max(values))}
