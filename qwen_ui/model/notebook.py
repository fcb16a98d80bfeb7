"""How a model shows itself in a notebook: its size, and its kinds of parameters by their share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.formats import index_ranges, shape_text, short_bytes
from qwen_ui.markup import table, view

if TYPE_CHECKING:
    from qwen_ui.model.anatomy import Anatomy


def anatomy_view(anatomy: Anatomy) -> str:
    """HTML of the model's size and of every kind of parameter."""
    total = anatomy.total_parameters
    said = (
        f"{anatomy.model_type}: {total:,} parameters in {len(anatomy.parameters):,} tensors, "
        f"{anatomy.block_count} blocks, {short_bytes(anatomy.bytes)} in {anatomy.dtype}."
    )
    tied = [f"{' and '.join(names)} are one tensor." for names in anatomy.tied]
    rows = [
        (
            kind.kind,
            kind.role,
            shape_text(kind.shape),
            index_ranges(kind.blocks, most=6) or "–",
            f"{kind.parameters:,}",
        )
        for kind in anatomy.kinds
    ]
    kinds = table(
        ("kind", "role", "shape", "blocks", "parameters"),
        rows,
        right=(4,),
        shares=[kind.parameters / max(total, 1) for kind in anatomy.kinds],
    )
    return view(anatomy.source, sentences=[said, *tied], notes=anatomy.notes, tables=[kinds])
