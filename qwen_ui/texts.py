"""What the command line prints for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwen_ui.freeze import Selection
    from qwen_ui.model import Anatomy


def inspect_text(anatomy: Anatomy) -> str:
    """The facts and the table of kinds."""
    lines = [
        f"{anatomy.source} ({anatomy.model_type}): {anatomy.total_parameters:,} parameters in "
        f"{len(anatomy.parameters):,} tensors, {anatomy.block_count} blocks, "
        f"{anatomy.bytes:,} bytes in {anatomy.dtype}",
        *(f"tied: {' = '.join(group)}" for group in anatomy.tied),
        "",
    ]
    rows = [("kind", "role", "shape", "parameters", "blocks")]
    rows += [
        (
            kind.kind,
            str(kind.role),
            " x ".join(map(str, kind.shape)),
            f"{kind.parameters:,}",
            str(len(kind.blocks) or "-"),
        )
        for kind in anatomy.kinds
    ]
    return "\n".join(lines + _table(rows, right={3, 4}))


def freeze_text(selection: Selection) -> str:
    """The sentence, the warnings and a row a block."""
    lines = [selection.summary, *(f"Note: {warning}" for warning in selection.warnings), ""]
    rows = [("block", "trainable", "of")]
    rows += [(str(index), f"{part:,}", f"{all_:,}") for index, all_, part in selection.block_counts]
    return "\n".join(lines + _table(rows, right={0, 1, 2}))


def _table(rows: list[tuple[str, ...]], right: set[int]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
