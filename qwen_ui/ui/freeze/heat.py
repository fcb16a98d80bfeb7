"""What the cells of the selector can be shaded by: statistics of the weights, and rank scores.

Both take longer than a page should wait: `measure_heat` starts the work and is asked again until
it answers with the numbers. The lists of methods are `rank.METHODS` and
`model.weights.measures.MEASURES`; none is named here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from qwen_ui import freeze
from qwen_ui.errors import SettingsError
from qwen_ui.model import NANO
from qwen_ui.model.weights import MEASURES
from qwen_ui.rank import METHODS
from qwen_ui.ui.freeze.selection_data import chosen, names_of
from qwen_ui.ui.page import KJV, Jobs, Tick, data_files, stand_in_for

if TYPE_CHECKING:
    from qwen_ui.freeze import Selection
    from qwen_ui.model import Anatomy
    from qwen_ui.rank import Ranking

WEIGHT, RANK = "weight", "rank"
# Of a measured heat, what stays here.
RANKING = "ranking"
JOBS = Jobs()
_DIGITS = 6


def list_heats(anatomy: Anatomy) -> dict[str, Any]:
    """Groups of [name, label, hint], each with a sentence where it cannot be had here."""

    weights = [[f"{WEIGHT}:{name}", name, ""] for name in MEASURES]
    ranks = [[f"{RANK}:{name}", f"rank by {name}", how.what] for name, how in METHODS.items()]
    model = stand_in_for(anatomy)
    apart = "" if model is anatomy else f" (on {NANO})"
    return {
        "groups": [
            {
                "label": "Weights",
                "heats": weights,
                "problem": "" if anatomy.weights_folder else "not on this machine",
            },
            {
                "label": f"Block scores{apart}",
                "heats": ranks,
                "problem": "" if model is not None else f"no weights here, and {NANO} differs",
            },
        ]
    }


def measure_heat(anatomy: Anatomy, name: str) -> dict[str, Any]:
    """The numbers, or how far they are; see `Jobs.ask`.

    A number a tensor (null where it has none) under `values`, a number a block under `blocks` where
    the method has them, the blocks from the highest down under `order`, and words under `said`.
    """
    answer = JOBS.ask((anatomy.source, name), _work_of(anatomy, name))
    return {key: value for key, value in answer.items() if key != RANKING}


def take_top(
    anatomy: Anatomy,
    ranges: str,
    plan_name: str,
    heat: str,
    count: str,
    scored: Literal["trained", "all"] = "trained",
) -> dict[str, Any]:
    """The kinds that train now, on the highest blocks; what trains outside the blocks stays.

    Args:
        scored: whether blocks are ranked by the tensors of these kinds, as the Compare tab does, or
            by all of a block's. Methods that score no tensors apart give the same for both.
    """
    found = JOBS.found((anatomy.source, heat)) or {}
    ranking: Ranking | None = found.get(RANKING)
    if ranking is None:
        raise SettingsError("There are no block scores yet. Choose a score under Heat first.")
    if not count.strip().isdecimal() or not 1 <= int(count) <= anatomy.block_count:
        raise SettingsError(f"Choose 1 to {anatomy.block_count} blocks, not '{count[:20]}'.")
    names = names_of(anatomy, ranges)
    if scored == "trained":
        ranking = ranking.of_kinds({anatomy.by_name[name].kind for name in names})
    top = list(ranking.top(int(count)))
    return chosen(on_blocks(anatomy, names, top, plan_name, heat))


def on_blocks(
    anatomy: Anatomy, names: frozenset[str], blocks: list[int], plan_name: str, heat: str
) -> Selection:
    """The kinds of these names moved onto these blocks.

    Raises:
        PlanError: no kind of a block is among the names.
    """
    what = plan_name.partition(" on ")[0] or "plan"
    layers = freeze.format_layers(frozenset(blocks), anatomy.block_count)
    name = f"{what} on {layers} by {heat.partition(':')[2]}"
    return freeze.resolve(freeze.moved_to_blocks(anatomy, names, blocks, name), anatomy)


def _work_of(anatomy: Anatomy, name: str) -> Callable[[Tick], dict[str, Any]]:

    group, _, what = name.partition(":")
    if group == WEIGHT and what in MEASURES:
        return lambda tick: _weight_heat(anatomy, what)
    if group == RANK and what in METHODS:
        return lambda tick: _rank_heat(anatomy, what, tick)
    raise SettingsError(f"There is nothing called '{name[:60]}' to shade by.")


def _weight_heat(anatomy: Anatomy, measure: str) -> dict[str, Any]:
    from qwen_ui.model.weights import measure_weights  # noqa: PLC0415  loads torch

    grid = measure_weights(anatomy, measure)
    cells = {
        (block, kind): value
        for kind, row in zip(grid.kinds, grid.values, strict=True)
        for block, value in zip(grid.blocks, row, strict=True)
    }
    said = f"{measure.capitalize()} of each tensor of {anatomy.source}"
    return {"values": _by_tensor(anatomy, cells), "blocks": None, "order": [], "said": f"{said}."}


def _rank_heat(anatomy: Anatomy, method: str, tick: Tick) -> dict[str, Any]:
    from qwen_ui.rank import rank_in_subprocess  # noqa: PLC0415  loads torch

    model = stand_in_for(anatomy)
    if model is None:
        raise SettingsError(
            f"The weights of {anatomy.source} are not on this machine, and {NANO} is no twin of "
            "it: it has other blocks or kinds. Rank a folder that holds the weights."
        )
    training, _ = data_files(KJV, None)
    ranking = rank_in_subprocess(model.source, training, method, tick)
    scores = ranking.scores
    said = f"Scores of {model.source} by {method}"
    if ranking.sequences:
        said += f" on {ranking.sequences} sequences of {KJV}"
    if model is not anatomy:
        said += f"; the weights of {anatomy.source} are not on this machine"
    if scores.unranked:
        said += f"; {len(scores.unranked)} kinds cannot be ranked so"
    return {
        "values": _by_tensor(anatomy, scores.cells) if scores.cells else None,
        "blocks": [_number(score) for score in scores.blocks],
        "order": list(ranking.top(anatomy.block_count)),
        "said": f"{said}.",
        RANKING: ranking,
    }


def _by_tensor(anatomy: Anatomy, cells: Mapping[tuple[int, str], float]) -> list[float | None]:
    return [
        None if p.block is None else _number(cells.get((p.block, p.kind), math.nan))
        for p in anatomy.parameters
    ]


def _number(value: float) -> float | None:
    """JSON has neither NaN nor infinity."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
