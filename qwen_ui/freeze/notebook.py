"""How a choice and its price show themselves in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.formats import percent
from qwen_ui.markup import Grid, figures_table, table, view
from qwen_ui.model import Role

if TYPE_CHECKING:
    from qwen_ui.freeze.cost.step import Cost
    from qwen_ui.freeze.selection import Selection


def selection_view(selection: Selection) -> str:
    """HTML of what trains: a picture of kinds by blocks, and the parameters of each role."""
    trained: dict[Role, int] = {}
    whole: dict[Role, int] = {}
    for parameter in selection.anatomy.parameters:
        whole[parameter.role] = whole.get(parameter.role, 0) + parameter.numel
        if parameter.name in selection.names:
            trained[parameter.role] = trained.get(parameter.role, 0) + parameter.numel
    shares = {role: trained.get(role, 0) / total for role, total in whole.items() if total}
    rows = [
        (role, f"{trained.get(role, 0):,}", f"{whole[role]:,}", percent(share))
        for role, share in shares.items()
    ]
    roles = table(
        ("role", "trains", "of", "share"), rows, right=(1, 2, 3), shares=list(shares.values())
    )
    return view(
        f"{selection.plan.name or 'Plan'} in {selection.anatomy.source}",
        sentences=[selection.summary],
        notes=selection.warnings,
        grid=_grid(selection),
        tables=[roles],
    )


def cost_view(cost: Cost) -> str:
    """HTML of the price of a step, a row per figure."""
    return view("One training step", tables=[figures_table(cost)])


def _grid(selection: Selection) -> Grid:
    """A row per kind inside the blocks, a column per block."""
    kinds = [kind.kind for kind in selection.anatomy.kinds if kind.blocks]
    row_of = {kind: row for row, kind in enumerate(kinds)}
    frozen: set[tuple[int, int]] = set()
    trained: set[tuple[int, int]] = set()
    for parameter in selection.anatomy.parameters:
        if parameter.block is not None:
            cells = trained if parameter.name in selection.names else frozen
            cells.add((row_of[parameter.kind], parameter.block))
    return Grid(tuple(kinds), selection.anatomy.block_count, frozenset(frozen), frozenset(trained))
