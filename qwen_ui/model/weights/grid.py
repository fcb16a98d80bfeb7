"""Statistics of the weights as a grid of blocks and kinds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.weights.fit import weights_of
from qwen_ui.model.weights.headers import StoredTensor
from qwen_ui.model.weights.measures import Measure
from qwen_ui.model.weights.statistics import Spectrum, spectrum, tensor_statistics


@dataclass(frozen=True, slots=True)
class WeightGrid:
    """One number per tensor of the blocks.

    Attributes:
        measure: what was measured.
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

    Args:
        measure: one of `MEASURES`.

    Raises:
        ModelError: the weights are not on this machine, or a file cannot be read.
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

    def row(kind: str) -> Iterator[float]:
        for block in blocks:
            tensor = by_place.get((kind, block))
            yield math.nan if tensor is None else measure_tensor(tensor, measure)

    return WeightGrid(measure, kinds, blocks, tuple(tuple(row(kind)) for kind in kinds))


def measure_tensor(tensor: StoredTensor, measure: str) -> float:
    """One of `MEASURES` of a stored tensor; NaN for a vector's singular values."""
    return _COMPUTE[Measure(measure)](tensor)


_COMPUTE: dict[Measure, Callable[[StoredTensor], float]] = {
    Measure.STANDARD_DEVIATION: lambda tensor: tensor_statistics(tensor).standard_deviation,
    Measure.MEAN: lambda tensor: tensor_statistics(tensor).mean,
    Measure.LARGEST_MAGNITUDE: lambda tensor: _largest(tensor),
    Measure.SHARE_OF_ZEROS: lambda tensor: tensor_statistics(tensor).zeros,
    Measure.NOT_FINITE: lambda tensor: float(tensor_statistics(tensor).not_finite),
    Measure.LARGEST_SINGULAR_VALUE: lambda tensor: _of_matrix(tensor, lambda found: found.top[0]),
    Measure.EFFECTIVE_RANK: lambda tensor: _of_matrix(tensor, lambda found: found.effective_rank),
}


def _largest(tensor: StoredTensor) -> float:
    found = tensor_statistics(tensor)
    return max(abs(found.minimum), abs(found.maximum))


def _of_matrix(tensor: StoredTensor, number: Callable[[Spectrum], float]) -> float:
    """A number of the singular values; a vector has none."""
    return number(spectrum(tensor, top=1)) if len(tensor.shape) == 2 else math.nan
