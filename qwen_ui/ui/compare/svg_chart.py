"""Small charts as SVG text: for reports that must open from disk and for the project's own pages.

Pure: numbers in, text out. Every text is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 680, 380
LEFT, RIGHT, TOP, BOTTOM = 58, 150, 34, 46
COLOURS = ("#c2410c", "#0072b2", "#009e73", "#b8860b", "#8c5383", "#56b4e9", "#7a7f87", "#16202b")
LABEL_GAP = 14


@dataclass(frozen=True, slots=True)
class Series:
    """Points that share a name and a colour.

    Attributes:
        errors: half lengths of error bars, one a point; empty for none.
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
    xs = [value for s in shown for value in s.x]
    low = [y - e for s in shown for y, e in zip(s.y, s.errors or [0] * len(s.y), strict=True)]
    high = [y + e for s in shown for y, e in zip(s.y, s.errors or [0] * len(s.y), strict=True)]
    across = _Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, log=log_x)
    up = _Axis(min(low), max(high), HEIGHT - BOTTOM, TOP, log=False)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(title)}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#16202b">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 20, title, size=13.5, weight=600),
        *_grid(across, up, x_title, y_title),
        *(mark for s in shown for mark in _marks(s, across, up)),
        *_labels(shown, across, up),
        "</svg>",
    ]
    return "\n".join(parts)


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
    return f"{value:g}"


def _grid(across: _Axis, up: _Axis, x_title: str, y_title: str) -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value, text in up.ticks():
        y = up(value)
        parts.append(f'<path d="M{LEFT} {y}H{right}" stroke="#dde3ea"/>')
        parts.append(_text(LEFT - 8, y + 4, text, anchor="end", colour="#566475"))
    for value, text in across.ticks():
        x = across(value)
        parts.append(f'<path d="M{x} {bottom}v5" stroke="#8fa3b8"/>')
        parts.append(_text(x, bottom + 18, text, anchor="middle", colour="#566475"))
    parts.append(f'<path d="M{LEFT} {bottom}H{right}" stroke="#8fa3b8"/>')
    middle = (LEFT + right) / 2
    parts.append(_text(middle, HEIGHT - 8, x_title, anchor="middle", colour="#566475"))
    turn = f'transform="rotate(-90 14 {(TOP + bottom) / 2})"'
    parts.append(_text(14, (TOP + bottom) / 2, y_title, "middle", "#566475", extra=turn))
    return parts


def _marks(s: Series, across: _Axis, up: _Axis) -> list[str]:
    at = [(across(x), up(y)) for x, y in zip(s.x, s.y, strict=True)]
    parts = []
    if s.line and len(at) > 1:
        path = "L".join(f"{x} {y}" for x, y in at)
        parts.append(
            f'<path d="M{path}" fill="none" stroke="{s.colour}" stroke-width="{s.width}"/>'
        )
    for (x, _), y, error in zip(at, s.y, s.errors, strict=bool(s.errors)):
        if error:
            parts.append(f'<path d="M{x} {up(y - error)}V{up(y + error)}" stroke="{s.colour}"/>')
    if s.points:
        for (x, y), x_value, y_value in zip(at, s.x, s.y, strict=True):
            said = escape(f"{s.name}: {x_value:,g}, {y_value:.4f}")
            dot = f'<circle cx="{x}" cy="{y}" r="3.5" fill="{s.colour}">'
            parts.append(f"{dot}<title>{said}</title></circle>")
    return parts


def _labels(shown: Sequence[Series], across: _Axis, up: _Axis) -> list[str]:
    """Each name beside its last point, moved up where two would meet."""
    ends = sorted((up(s.y[-1]), across(s.x[-1]), s.name, s.colour) for s in shown if s.label)[::-1]
    parts: list[str] = []
    taken: list[tuple[float, float, float]] = []
    for y, x, name, colour in ends:
        at, width = y + 4, 6.2 * len(name)
        for other, begin, end in taken:
            if x + 8 < end and x + 8 + width > begin and abs(at - other) < LABEL_GAP:
                at = other - LABEL_GAP
        taken.append((at, x + 8, x + 8 + width))
        parts.append(_text(x + 8, at, name, colour=colour))
    return parts


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str = "start",
    colour: str = "#16202b",
    *,
    size: float = 12,
    weight: int = 400,
    extra: str = "",
) -> str:
    return (
        f'<text x="{round(x, 1)}" y="{round(y, 1)}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}" font-weight="{weight}" {extra}>{escape(text)}</text>'
    )
