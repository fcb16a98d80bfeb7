"""Importance by gradients of the loss: two passes, two forms of each.

A gradient is dropped as soon as it is measured, so a pass holds one tensor's gradient at a time and
the activations of one batch. Each form scores every tensor, so that blocks can be ranked by what a
plan would train (`Scores.of_kinds`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch

from qwen_ui.data import Batch
from qwen_ui.model import Anatomy
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.rank.loss import mean_loss
from qwen_ui.rank.scores import Cells, Progress, Scores, scores_of

Measure = Callable[[torch.Tensor, torch.Tensor], float]


def gradient_pass(
    model: PreTrainedModel, anatomy: Anatomy, batches: Sequence[Batch], on_progress: Progress
) -> dict[str, Scores]:
    """`gradient` and `relative-gradient`, from one backward pass per batch."""
    squares = _means(model, anatomy, batches, on_progress, {"": _square})[""]
    plain = {cell: math.sqrt(square) for cell, square in squares.items()}
    sizes = _sizes(model, anatomy)
    relative = {cell: norm / sizes[cell] for cell, norm in plain.items() if sizes[cell]}
    kinds = {kind for _, kind in relative}
    zero = tuple(dict.fromkeys(kind for _, kind in plain if kind not in kinds))
    count = anatomy.block_count
    return {
        "gradient": scores_of(plain, count, "norm"),
        "relative-gradient": scores_of(relative, count, "mean", zero),
    }


def fisher_pass(
    model: PreTrainedModel, anatomy: Anatomy, batches: Sequence[Batch], on_progress: Progress
) -> dict[str, Scores]:
    """`fisher` and `relative-fisher`, from one backward pass per sequence."""
    singles = [single for batch in batches for single in sequences_of(batch)]
    measures: dict[str, Measure] = {"fisher": _square, "relative-fisher": _weighted_square}
    found = _means(model, anatomy, singles, on_progress, measures)
    return {name: scores_of(cells, anatomy.block_count, "sum") for name, cells in found.items()}


def sequences_of(batch: Batch) -> Iterator[Batch]:
    """Each sequence of a batch as a batch of its own; those that carry no loss are left out."""
    length = batch.tokens_BT.shape[1]
    for row, index in enumerate(batch.indexes):
        mine = batch.rows // length == row
        if not bool(mine.any()):
            continue
        mask = None if batch.mask_BT is None else batch.mask_BT[row : row + 1]
        positions = None if batch.positions_BT is None else batch.positions_BT[row : row + 1]
        yield replace(
            batch,
            indexes=(index,),
            tokens_BT=batch.tokens_BT[row : row + 1],
            mask_BT=mask,
            positions_BT=positions,
            rows=batch.rows[mine] - row * length,
            targets=batch.targets[mine],
            token_count=length if mask is None else int(mask.sum()),
        )


def _square(weight: torch.Tensor, gradient: torch.Tensor) -> float:
    return float(gradient.double().square().sum())


def _weighted_square(weight: torch.Tensor, gradient: torch.Tensor) -> float:
    return float((gradient.double() * weight.double()).square().sum())


def _means(
    model: PreTrainedModel,
    anatomy: Anatomy,
    batches: Sequence[Batch],
    on_progress: Progress,
    measures: dict[str, Measure],
) -> dict[str, Cells]:
    """The mean over the batches of what each measure says of weight and gradient."""
    sums: dict[str, Cells] = {name: defaultdict(float) for name in measures}

    def note(cell: tuple[int, str], weight: torch.Tensor) -> None:
        assert weight.grad is not None
        for name, measure in measures.items():
            sums[name][cell] += measure(weight.detach(), weight.grad) / len(batches)

    with _gradient_hooks(model, anatomy, note):
        for number, batch in enumerate(batches):
            mean_loss(model, batch).backward()
            on_progress(number + 1, len(batches))
    return {name: dict(cells) for name, cells in sums.items()}


@contextmanager
def _gradient_hooks(
    model: PreTrainedModel,
    anatomy: Anatomy,
    note: Callable[[tuple[int, str], torch.Tensor], None],
) -> Iterator[None]:
    """Call `note` with every tensor of a block that has its gradient, then drop the gradient."""

    def hook_of(cell: tuple[int, str]) -> Callable[[torch.Tensor], None]:
        def hook(parameter: torch.Tensor) -> None:
            note(cell, parameter)
            parameter.grad = None

        return hook

    handles = []
    for name, parameter in model.named_parameters():
        known = anatomy.by_name.get(name)
        parameter.requires_grad_(known is not None and known.block is not None)
        if known is not None and known.block is not None:
            hook = hook_of((known.block, known.kind))
            handles.append(parameter.register_post_accumulate_grad_hook(hook))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        model.requires_grad_(False)


def _sizes(model: PreTrainedModel, anatomy: Anatomy) -> Cells:
    return {
        (known.block, known.kind): float(parameter.detach().double().norm())
        for name, parameter in model.named_parameters()
        if (known := anatomy.by_name.get(name)) is not None and known.block is not None
    }
