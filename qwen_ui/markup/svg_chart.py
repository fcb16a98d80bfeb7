"""Small charts as SVG text: for reports that must open from disk and for the project's own pages.

Pure: numbers in, marks out; the template `chart.svg` writes them down.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qwen_ui.formats import rounded
from qwen_ui.markup.templates import render

WIDTH, HEIGHT = 680, 380
LEFT, RIGHT, TOP, BOTTOM = 58, 150, 34, 46
LABEL_GAP = 14
_INK, _MUTED, _AXIS = "#16202b", "#566475", "#8fa3b8"


@dataclass(frozen=True, slots=True)
class Mark:
    """One shape: a `path`, a dot (`radius`) or else a text, at `x`, `y` in pixels.

    Attributes:
        text: what is written, or what a dot says on hover.
        width: of a path's stroke where it is a line of a series; 0 for the grid's.
        anchor, size, weight, turn: of a text, as in SVG.
    """

    colour: str
    x: float = 0
    y: float = 0
    path: str = ""
    width: float = 0
    radius: float = 0
    text: str = ""
    anchor: str = "start"
    size: float = 12
    weight: int = 400
    turn: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points that share a name and a colour.

    Attributes:
        errors: half lengths of error bars, one a point; empty for none.
        x_errors: the same along x.
        line: whether the points are joined.
        points: whether they are marked.
        label: whether the name is written at the last point.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    colour: str
    errors: Sequence[float] = ()
    line: bool = True
    points: bool = True
    label: bool = True
    width: float = 2.0
    x_errors: Sequence[float] = ()


def chart(
    title: str,
    series: Sequence[Series],
    *,
    x_title: str,
    y_title: str,
    log_x: bool = False,
) -> str:
    """An SVG of these series; "" where there is no point."""
    shown = [s for s in series if len(s.x)]
    if not shown:
        return ""
    wide = [(x, e) for s in shown for x, e in zip(s.x, s.x_errors or [0] * len(s.x), strict=True)]
    low = [y - e for s in shown for y, e in zip(s.y, s.errors or [0] * len(s.y), strict=True)]
    high = [y + e for s in shown for y, e in zip(s.y, s.errors or [0] * len(s.y), strict=True)]
    left, right = min(x - e for x, e in wide), max(x + e for x, e in wide)
    across = _Axis(left, right, LEFT, WIDTH - RIGHT, log=log_x)
    up = _Axis(min(low), max(high), HEIGHT - BOTTOM, TOP, log=False)
    marks = [
        Mark(_INK, LEFT, 20, text=title, size=13.5, weight=600),
        *_grid(across, up, x_title, y_title),
        *(mark for one in shown for mark in _marks(one, across, up)),
        *_labels(shown, across, up),
    ]
    return render("markup/chart.svg", width=WIDTH, height=HEIGHT, title=title, marks=marks)


class _Axis:
    """Values to pixels, and where its ticks are."""

    def __init__(self, low: float, high: float, begin: float, end: float, *, log: bool) -> None:
        self._log = log
        low, high = (math.log10(low), math.log10(high)) if log else (low, high)
        margin = 0.05 * (high - low) or 0.5
        self._low, self._high = low - margin, high + margin
        self._begin, self._end = begin, end

    def __call__(self, value: float) -> float:
        at = math.log10(value) if self._log else value
        part = (at - self._low) / (self._high - self._low)
        return round(self._begin + part * (self._end - self._begin), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """(value, text) of each tick."""
        if self._log:
            powers = range(math.floor(self._low), math.floor(self._high) + 1)
            # Where there are few decades their halves have a tick too.
            steps = (1, 2, 5) if self._high - self._low < 2 else (1,)
            values = [step * 10.0**power for power in powers for step in steps]
            inside = (v for v in values if self._low <= math.log10(v) <= self._high)
            return [(value, _short(value)) for value in inside]
        rough = (self._high - self._low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
        digits = max(0, -math.floor(math.log10(step)))
        first, last = math.ceil(self._low / step), math.floor(self._high / step)
        return [(n * step, f"{n * step:,.{digits}f}") for n in range(first, last + 1)]


def _short(value: float) -> str:
    for size, sign in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if value >= size:
            return f"{value / size:g} {sign}"
    return rounded(value)


def _grid(across: _Axis, up: _Axis, x_title: str, y_title: str) -> Iterator[Mark]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for value, text in up.ticks():
        y = up(value)
        yield Mark("#dde3ea", path=f"M{LEFT} {y}H{right}")
        yield Mark(_MUTED, LEFT - 8, y + 4, text=text, anchor="end")
    for value, text in across.ticks():
        x = across(value)
        yield Mark(_AXIS, path=f"M{x} {bottom}v5")
        yield Mark(_MUTED, x, bottom + 18, text=text, anchor="middle")
    yield Mark(_AXIS, path=f"M{LEFT} {bottom}H{right}")
    yield Mark(_MUTED, (LEFT + right) / 2, HEIGHT - 8, text=x_title, anchor="middle")
    middle = (TOP + bottom) / 2
    turn = f"rotate(-90 14 {middle})"
    yield Mark(_MUTED, 14, middle, text=y_title, anchor="middle", turn=turn)


def _marks(series: Series, across: _Axis, up: _Axis) -> Iterator[Mark]:
    at = [(across(x), up(y)) for x, y in zip(series.x, series.y, strict=True)]
    if series.line and len(at) > 1:
        path = "L".join(f"{x} {y}" for x, y in at)
        yield Mark(series.colour, path=f"M{path}", width=series.width)
    for (x, _), y, error in zip(at, series.y, series.errors, strict=bool(series.errors)):
        if error:
            yield Mark(series.colour, path=f"M{x} {up(y - error)}V{up(y + error)}")
    for (_, y), x, error in zip(at, series.x, series.x_errors, strict=bool(series.x_errors)):
        if error:
            yield Mark(series.colour, path=f"M{across(x - error)} {y}H{across(x + error)}")
    if series.points:
        for (x, y), x_value, y_value in zip(at, series.x, series.y, strict=True):
            said = f"{series.name}: {x_value:,g}, {y_value:.4f}"
            yield Mark(series.colour, x, y, radius=3.5, text=said)


def _labels(shown: Sequence[Series], across: _Axis, up: _Axis) -> Iterator[Mark]:
    """Each name beside its last point, moved up where two would meet."""
    ends = sorted((up(s.y[-1]), across(s.x[-1]), s.name, s.colour) for s in shown if s.label)[::-1]
    taken: list[tuple[float, float, float]] = []
    for y, x, name, colour in ends:
        at, width = y + 4, 6.2 * len(name)
        for other, begin, end in taken:
            if x + 8 < end and x + 8 + width > begin and abs(at - other) < LABEL_GAP:
                at = other - LABEL_GAP
        taken.append((at, x + 8, x + 8 + width))
        yield Mark(colour, round(x + 8, 1), round(at, 1), text=name)
