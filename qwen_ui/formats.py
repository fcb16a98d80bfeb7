"""Numbers as people read them; the exact ones stand in titles and tables.

The page's scripts write the same texts (`ui/page/static/format.js`): `tests/formats.json` holds
both to one table of cases.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Context

_Units = Sequence[tuple[float, str]]
_COUNTS: _Units = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
_BYTES: _Units = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_FLOPS: _Units = ((1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP"))
EXACT_DIGITS = 12  # of `rounded`: all that a person gave, none that a computer adds
_LEAST_ROUNDED = 100_000  # counts below are short enough to be given in full
_BEFORE_UNIT = re.compile(
    r"(?<=[0-9]) (?=(?:%|[kMGT]?B|[KMT]|[MGTP]?FLOP|m?s|nats)(?!\w))"
    r"|(?<=\w) (?=[×±] )|(?<=[×±]) (?=\w)"
)
_LEAST_WRITTEN_OUT = 1e-4  # values below are given as powers of ten


def short_count(count: int) -> str:
    """A count to three significant digits: `1.54 B`, `22.0 M`; below 100,000 in full: `8,192`."""
    if count < _LEAST_ROUNDED:
        return f"{count:,}"
    return _in_units(count, _COUNTS) or f"{count:,}"


def short_bytes(count: float) -> str:
    """Bytes in decimal units, as disks and papers count: `3.09 GB`, `16.4 kB`."""
    return _in_units(count, _BYTES) or f"{count:.0f} B"


def short_flops(count: float) -> str:
    """Floating-point operations: `8.12 TFLOP`."""
    return _in_units(count, _FLOPS) or f"{count:.0f} FLOP"


def percent(fraction: float) -> str:
    """A share of one in per cent: `22.4 %`, `0.37 %`, `0.00053 %`.

    Three significant digits from 1 % on, two below. Only nothing is `0 %` and only all `100 %`.
    """
    if fraction in (0, 1):
        return f"{100 * fraction:.0f} %"
    value = 100 * fraction
    text = _significant(value, 2 if value < 1 else 3)
    return "99.9 %" if fraction < 1 and float(text) >= 100 else f"{text} %"


def signed(value: float, decimals: int = 3) -> str:
    """A change in nats, with its sign: `+0.100`, `−0.520`."""
    return f"{value:+.{decimals}f}".replace("-", "−")


def rounded(value: float, digits: int = 4) -> str:
    """A measured value to so many significant digits: `2.346`, `12,350`, `1e-5`."""
    # An exact tie is rounded up, as toPrecision of the page's scripts does.
    nearest = Context(prec=digits, rounding=ROUND_HALF_UP).create_decimal_from_float(value)
    short = float(nearest)
    if abs(short) >= 1e3:
        return f"{short:,.0f}"
    if short and abs(short) < _LEAST_WRITTEN_OUT:
        factor, _, power = f"{nearest:e}".partition("e")
        return f"{float(factor):g}e{int(power)}"
    return repr(short).removesuffix(".0")


def rate_text(rate: float) -> str:
    """A learning rate as every table, report and page writes it: `0.001`, `0.0125`, `2e-5`."""
    return rounded(rate, 3)


def duration(seconds: float) -> str:
    """A time span: `45 s`, `3 min 05 s`, `2 h 07 min`."""
    whole = math.floor(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def unbroken(text: str) -> str:
    """The text without a line's end before `%`, `MB`, `s`, and around `×` and `±`."""
    return _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", text)


def shape_text(shape: Sequence[int]) -> str:
    """A tensor's shape: `1,536 × 8,960`."""
    return " × ".join(f"{size:,}" for size in shape) or "scalar"


def index_ranges(indexes: Iterable[int], *, separator: str = ", ", most: int | None = None) -> str:
    """Ascending whole numbers as ranges: `0-3, 5, 7-9`; "" for none.

    Args:
        separator: what stands between ranges; `","` for expressions that are parsed again.
        most: where there are more ranges, the middle is left out: `0-2, 4-6, …, 44-46`.
    """
    runs: list[list[int]] = []
    for index in indexes:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    parts = [f"{first}-{last}" if first != last else f"{first}" for first, last in runs]
    if most is not None and len(parts) > most:
        parts = [*parts[: most - 2], "…", parts[-1]]
    return separator.join(parts)


def _in_units(value: float, units: _Units) -> str:
    """In the largest unit that has a whole part once rounded; "" where the smallest has none."""
    for size, unit in units:
        text = _significant(value / size, 3)
        if float(text) >= 1:
            return f"{text} {unit}"
    return ""


def _significant(value: float, digits: int) -> str:
    """So many significant digits, never as a power of ten: 9.996 to three of them is `10.0`."""
    text = f"{value:.{_decimals(value, digits)}f}"
    return text if float(text) == 0 else f"{value:.{_decimals(float(text), digits)}f}"


def _decimals(value: float, digits: int) -> int:
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    return max(0, digits - 1 - magnitude)
