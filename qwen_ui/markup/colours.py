"""Colours of the lines of several runs or plans, told apart by the colour-blind too (Okabe-Ito)."""

SERIES_COLOURS = (
    *("#c2410c", "#0072b2", "#009e73", "#b8860b"),
    *("#8c5383", "#56b4e9", "#7a7f87", "#16202b"),
)
