"""Numbers for reading; the exact ones stand in titles and tables."""

from __future__ import annotations


def short_count(count: int) -> str:
    """Three significant digits: `1.54 B`, `22.0 M`, `8,192`."""
    for limit, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M")):
        if count >= limit:
            return f"{_three_digits(count / limit)} {unit}"
    if count >= 100_000:
        return f"{count / 1000:.0f} K"
    return f"{count:,}"


def short_bytes(count: float) -> str:
    """Decimal units, as disks and papers count: `3.09 GB`, `16.4 kB`."""
    for limit, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= limit:
            return f"{_three_digits(count / limit)} {unit}"
    return f"{count:.0f} B"


def short_flops(count: float) -> str:
    """Floating-point operations: `8.12 TFLOP`."""
    for limit, unit in ((10**15, "PFLOP"), (10**12, "TFLOP"), (10**9, "GFLOP"), (10**6, "MFLOP")):
        if count >= limit:
            return f"{_three_digits(count / limit)} {unit}"
    return f"{count:.0f} FLOP"


def _three_digits(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
