"""Statistics of the weights as a grid of blocks and kinds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.weights.fit import weights_of
from qwen_ui.model.weights.headers import StoredTensor
from qwen_ui.model.weights.statistics import spectrum, tensor_statistics

MEASURES: dict[str, Callable[[StoredTensor], float]] = {
    "standard deviation": lambda tensor: tensor_statistics(tensor).standard_deviation,
    "mean": lambda tensor: tensor_statistics(tensor).mean,
    "largest magnitude": lambda tensor: _largest(tensor),
    "share of zeros": lambda tensor: tensor_statistics(tensor).zeros,
    "NaN or infinite": lambda tensor: float(tensor_statistics(tensor).not_finite),
    "largest singular value": lambda tensor: _matrix(tensor, 0),
    "effective rank": lambda tensor: _matrix(tensor, 1),
}


@dataclass(frozen=True, slots=True)
class WeightGrid:
    """A number a tensor of the blocks.

    Attributes:
        measure: what was measured; a key of `MEASURES`.
        kinds: the rows.
        blocks: the columns.
        values: rows of columns; NaN where a block has no such kind, or the measure means nothing.
    """

    measure: str
    kinds: tuple[str, ...]
    blocks: tuple[int, ...]
    values: tuple[tuple[float, ...], ...]


def measure_weights(anatomy: Anatomy, measure: str) -> WeightGrid:
    """Measure every tensor of the blocks, streamed from the files.

    Raises:
        ModelError: no weights are at hand, or a file cannot be read.
    """
    tensors = weights_of(anatomy).tensors
    by_place = {
        (p.kind, p.block): tensors[name]
        for p in anatomy.parameters
        if p.block is not None
        for name in p.names
        if name in tensors
    }
    kinds = tuple(kind.kind for kind in anatomy.kinds if kind.blocks)
    blocks = tuple(range(anatomy.block_count))
    take = MEASURES[measure]

    def row(kind: str) -> Iterator[float]:
        for block in blocks:
            tensor = by_place.get((kind, block))
            yield math.nan if tensor is None else take(tensor)

    return WeightGrid(measure, kinds, blocks, tuple(tuple(row(kind)) for kind in kinds))


def _largest(tensor: StoredTensor) -> float:
    found = tensor_statistics(tensor)
    return max(abs(found.minimum), abs(found.maximum))


def _matrix(tensor: StoredTensor, which: int) -> float:
    """A number of the singular values; a vector has none."""
    if len(tensor.shape) != 2:
        return math.nan
    found = spectrum(tensor, top=1)
    return found.effective_rank if which else found.top[0]
