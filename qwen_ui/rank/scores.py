"""What every measure of importance gives, and the two that need no pass of their own kind.

The measures: `score_gradients` (one backward a batch, or a sequence), `score_activations` (one
forward a batch), and here `weight` (none) and `ablation` (one forward a block and batch).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn
from torch.nn import functional as F

from qwen_ui.data.batches import Batch
from qwen_ui.model import Anatomy
from qwen_ui.model.libraries import PreTrainedModel

Cells = dict[tuple[int, str], float]
Tick = Callable[[int, int], None]
Total = Literal["norm", "sum", "mean", "beside"]


@dataclass(frozen=True, slots=True)
class Scores:
    """What one method says.

    Attributes:
        blocks: a score for every block, higher for what matters more.
        cells: (block, kind) -> score, where the method knows kinds.
        unranked: kinds that the method cannot rank.
        total: how a block's score follows from its cells: their `norm` (root of the sum of
            squares), `sum` or `mean`, or `beside`: the mean after each was divided by the mean of
            its kind over the blocks, where values of different kinds do not compare.
    """

    blocks: tuple[float, ...]
    cells: Cells
    unranked: tuple[str, ...] = ()
    total: Total = "sum"

    def over(self, kinds: Collection[str]) -> Scores:
        """The same with these kinds alone: how much the blocks matter to a plan that trains them.

        A method that knows no kinds says the same of all plans.
        """
        chosen = {cell: score for cell, score in self.cells.items() if cell[1] in kinds}
        if not chosen:
            return self
        unranked = tuple(kind for kind in self.unranked if kind in kinds)
        return scores_of(chosen, len(self.blocks), self.total, unranked)


def scores_of(cells: Cells, block_count: int, total: Total, unranked: Sequence[str] = ()) -> Scores:
    """Scores of blocks from those of their cells."""
    shares = _beside_their_kind(cells) if total == "beside" else cells
    parts: list[list[float]] = [[] for _ in range(block_count)]
    for (block, _), value in shares.items():
        parts[block].append(value)
    return Scores(tuple(_total(part, total) for part in parts), cells, tuple(unranked), total)


def _total(values: Sequence[float], total: Total) -> float:
    if total == "norm":
        return math.sqrt(sum(value * value for value in values))
    if total == "sum":
        return sum(values)
    return sum(values) / len(values) if values else 0.0


def _beside_their_kind(cells: Cells) -> Cells:
    by_kind: dict[str, list[float]] = defaultdict(list)
    for (_, kind), value in cells.items():
        by_kind[kind].append(value)
    means = {kind: sum(values) / len(values) for kind, values in by_kind.items()}
    return {(b, k): value / means[k] if means[k] else 0.0 for (b, k), value in cells.items()}


def mean_loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy (nats) over the positions of a batch that carry one."""
    logits_NV = model(**batch.inputs).logits.flatten(0, 1).index_select(0, batch.rows)
    return F.cross_entropy(logits_NV.float(), batch.targets)


def ablation_scores(
    model: PreTrainedModel, anatomy: Anatomy, batches: Sequence[Batch], tick: Tick
) -> Scores:
    """How much the loss rises when the block is skipped; its input is handed on as it is.

    Formula: loss(without the block) - loss, mean cross-entropy over the data (nats a token).
    Source: leave-one-block-out ablation, as in Veit et al., arXiv 1605.06431, section 4.1.
    """
    with torch.no_grad():
        whole = _total_loss(model, batches)
        rises = []
        for block in anatomy.blocks:
            with _skipped(model.get_submodule(block.name)):
                rises.append(_total_loss(model, batches) - whole)
            tick(block.index + 1, anatomy.block_count)
    return Scores(tuple(rises), {})


def _total_loss(model: PreTrainedModel, batches: Iterable[Batch]) -> float:
    pairs = [(float(mean_loss(model, b)), len(b.targets)) for b in batches]
    return sum(loss * count for loss, count in pairs) / sum(count for _, count in pairs)


@contextmanager
def _skipped(block: nn.Module) -> Iterator[None]:
    """The block as it is for all who read its attributes, but handing on its input."""
    shapes: list[bool] = []
    real = block.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        hidden = args[0] if args else kwargs["hidden_states"]
        if not shapes:
            shapes.append(isinstance(real(*args, **kwargs), tuple))
        return (hidden,) if shapes[0] else hidden

    block.forward = forward
    try:
        yield
    finally:
        del block.forward


def weight_scores(
    model: PreTrainedModel, anatomy: Anatomy, batches: Sequence[Batch], tick: Tick
) -> Scores:
    """Signal-to-noise of the singular values of each matrix; reads weights alone, no data.

    Formula: (sum of the singular values above the Marchenko-Pastur bound) / (sum of the others) /
    (the largest); each over the mean of its kind, then the mean of a block's matrices. Norms,
    biases and embeddings have no such values and are not ranked.
    Source: Spectrum, Hartford et al., arXiv 2406.06623.
    """
    cells: Cells = {}
    unranked: dict[str, None] = {}
    parameters = [p for p in anatomy.parameters if p.block is not None]
    tensors = dict(model.named_parameters())
    for number, parameter in enumerate(parameters):
        assert parameter.block is not None
        ratio = math.inf
        if len(parameter.shape) == 2:
            ratio = signal_to_noise(tensors[parameter.name].detach())
        if math.isfinite(ratio):
            cells[parameter.block, parameter.kind] = ratio
        else:
            unranked[parameter.kind] = None
        tick(number + 1, len(parameters))
    return scores_of(cells, anatomy.block_count, "beside", tuple(unranked))


def signal_to_noise(weight: torch.Tensor) -> float:
    """Spectrum's ratio for one matrix (n, m); infinite where no singular value counts as noise."""
    values = torch.linalg.svdvals(weight.double())
    upper, lower = torch.quantile(values, 0.75), torch.quantile(values, 0.25)
    # The spread of the middle half of a normal distribution is 1.349 standard deviations.
    sigma = (upper - lower) / 1.349
    beta = min(weight.shape) / max(weight.shape)
    bound = sigma * (1 + math.sqrt(beta))
    noise = float(values[values <= bound].sum())
    if noise == 0 or float(values[0]) == 0:
        return math.inf
    return float(values[values > bound].sum()) / noise / float(values[0])
