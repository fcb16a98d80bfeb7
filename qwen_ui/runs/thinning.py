"""A line of a chart with fewer points that looks the same: the extremes of every bucket."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

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


def within(line: Line, low: float, high: float) -> Line:
    """The part of a line with x from `low` to `high`, and one point more on either side of it."""
    x, y = line
    first = max(0, bisect_left(x, low) - 1)
    last = bisect_right(x, high) + 1
    return x[first:last], y[first:last]


def shown_lines(
    lines: Mapping[str, Line], between: tuple[float, float] | None = None
) -> dict[str, Line]:
    """The lines that have points as a chart shows them: thinned, of a part of the axis or of all.

    A part is thinned by itself, so that a chart that is zoomed shows what lies between.
    """
    shown = {name: line for name, line in lines.items() if line[0]}
    if between is not None:
        shown = {name: within(line, *between) for name, line in shown.items()}
    return {name: thinned(line) for name, line in shown.items()}


def _extremes(y: Sequence[float | None], first: int, last: int) -> set[int]:
    """Where the smallest and the largest of these are, or the first where all are gaps."""
    part = y[first:last]
    values = [value for value in part if value is not None]
    if not values:
        return {first}
    return {first + part.index(min(values)), first + part.index(max(values))}
