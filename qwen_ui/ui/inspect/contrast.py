"""Which ink is read on a colour."""

from __future__ import annotations


def ink_on(ground: str) -> str:
    """Black or white, whichever has more contrast with this colour: 4.5 at least (WCAG 2.1), where
    the greys that plotly takes by itself have 3.2."""
    light = luminance(ground)
    return "#ffffff" if 1.05 / (light + 0.05) > (light + 0.05) / 0.05 else "#000000"


def luminance(colour: str) -> float:
    """The relative luminance of `#rrggbb`, by WCAG 2.1."""
    shares = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
