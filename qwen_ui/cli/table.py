"""Tables of plain text."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[tuple[str, ...]], right: set[int]) -> list[str]:
    """Lines of aligned columns.

    Args:
        rows: cells of equal number; the first row is the header.
        right: indexes of the columns that are aligned to the right.
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def loss_cell(value: float | None) -> str:
    """A loss with four decimals, `-` where there is none."""
    return "-" if value is None else f"{value:.4f}"
