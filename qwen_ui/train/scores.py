"""How much each block, and each kind of parameter in it, matters: four measures, one pass each.

gradient    root mean square, over batches, of the norm of the loss gradient; at one sequence a
            batch its square is the trace of the empirical Fisher matrix (Kunstner et al., arXiv
            1905.12558).
activation  Block Influence of ShortGPT (arXiv 2403.03853, eq. 1): one minus the mean cosine between
            a token's hidden state before and after the block.
weight      signal-to-noise of the singular values, as in Spectrum (arXiv 2406.06623): the sum of
            those above the Marchenko-Pastur bound over the sum of the rest, over the largest one.
            Matrices alone have it: norms, biases and embeddings are not ranked.
ablation    how much the loss rises when the block is skipped.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from qwen_ui.model import Anatomy
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.train.data import Batch

Cells = dict[tuple[int, str], float]
Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scores:
    """What one method says.

    Attributes:
        blocks: a score for every block, higher for what matters more.
        cells: (block, kind) -> score, where the method knows kinds.
        unranked: kinds that the method cannot rank.
    """

    blocks: tuple[float, ...]
    cells: Cells
    unranked: tuple[str, ...] = ()


def mean_loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy (nats) over the positions of a batch that carry one."""
    logits_NV = model(**batch.inputs).logits.flatten(0, 1).index_select(0, batch.rows)
    return F.cross_entropy(logits_NV.float(), batch.targets)


def gradient_scores(
    model: PreTrainedModel, anatomy: Anatomy, batches: Sequence[Batch], tick: Tick
) -> Scores:
    """Root mean square gradient norms. A gradient is dropped as soon as its norm is known."""
    squares: Cells = defaultdict(float)
    handles = []
    for name, parameter in model.named_parameters():
        known = anatomy.by_name.get(name)
        parameter.requires_grad_(known is not None and known.block is not None)
        if known is not None and known.block is not None:
            note = _noter(squares, (known.block, known.kind))
            handles.append(parameter.register_post_accumulate_grad_hook(note))
    for number, batch in enumerate(batches):
        mean_loss(model, batch).backward()
        tick(number + 1, len(batches))
    for handle in handles:
        handle.remove()
    model.requires_grad_(False)
    cells = {cell: math.sqrt(total / len(batches)) for cell, total in squares.items()}
    blocks = [0.0] * anatomy.block_count
    for (block, _), total in squares.items():
        blocks[block] += total / len(batches)
    return Scores(tuple(math.sqrt(total) for total in blocks), cells)


def _noter(squares: Cells, cell: tuple[int, str]) -> Callable[[torch.Tensor], None]:
    def note(parameter: torch.Tensor) -> None:
        assert parameter.grad is not None
        squares[cell] += float(parameter.grad.double().square().sum())
        parameter.grad = None

    return note


def relative_cells(model: PreTrainedModel, anatomy: Anatomy, cells: Cells) -> Cells:
    """Scores over the norm of the tensor: how much a step moves it for its size."""
    norms = {
        (known.block, known.kind): float(parameter.detach().double().norm())
        for name, parameter in model.named_parameters()
        if (known := anatomy.by_name.get(name)) is not None and known.block is not None
    }
    return {cell: score / norms[cell] if norms[cell] else 0.0 for cell, score in cells.items()}


def activation_scores(
    model: PreTrainedModel, anatomy: Anatomy, batches: Sequence[Batch], tick: Tick
) -> Scores:
    """Block Influence, the mean taken over real tokens."""
    sums = [0.0] * anatomy.block_count
    count = 0
    mask: list[torch.Tensor] = []

    def watch(index: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            before = args[0] if args else kwargs["hidden_states"]
            after = output[0] if isinstance(output, tuple) else output
            cosine = F.cosine_similarity(before.double(), after.double(), dim=-1)
            sums[index] += float((1 - cosine)[mask[-1]].sum())

        return hook

    handles = [
        model.get_submodule(b.name).register_forward_hook(watch(b.index), with_kwargs=True)
        for b in anatomy.blocks
    ]
    with torch.no_grad():
        for number, batch in enumerate(batches):
            mask.append(_real(batch))
            count += int(mask[-1].sum())
            model.base_model(**batch.inputs)
            tick(number + 1, len(batches))
    for handle in handles:
        handle.remove()
    return Scores(tuple(total / count for total in sums), {})


def _real(batch: Batch) -> torch.Tensor:
    if batch.mask_BT is None:
        return torch.ones_like(batch.tokens_BT, dtype=torch.bool)
    return batch.mask_BT.bool()


def ablation_scores(
    model: PreTrainedModel, anatomy: Anatomy, batches: Sequence[Batch], tick: Tick
) -> Scores:
    """Rise of the loss without the block; its input is handed on as it is."""
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
    """Spectrum's signal-to-noise; a block's score is the mean over its matrices.

    Values of different kinds do not compare, so each is first divided by the mean of its kind.
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
    return Scores(_beside_their_kind(cells, anatomy.block_count), cells, tuple(unranked))


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


def _beside_their_kind(cells: Cells, block_count: int) -> tuple[float, ...]:
    by_kind: dict[str, list[float]] = defaultdict(list)
    for (_, kind), value in cells.items():
        by_kind[kind].append(value)
    means = {kind: sum(values) / len(values) for kind, values in by_kind.items()}
    shares: list[list[float]] = [[] for _ in range(block_count)]
    for (block, kind), value in cells.items():
        shares[block].append(value / means[kind] if means[kind] else 0.0)
    return tuple(sum(block) / len(block) if block else 0.0 for block in shares)
