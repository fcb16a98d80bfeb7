"""Importance by ablation: how much the loss rises when a block is skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from qwen_ui.data import Batch
from qwen_ui.model import Anatomy
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.rank.loss import mean_loss
from qwen_ui.rank.scores import Progress, Scores


def ablation_pass(
    model: PreTrainedModel, anatomy: Anatomy, batches: Sequence[Batch], on_progress: Progress
) -> dict[str, Scores]:
    """`ablation`: the loss without each block in turn, one forward per block and batch."""
    with torch.no_grad():
        whole = _total_loss(model, batches)
        rises = []
        for block in anatomy.blocks:
            with _skipped(model.get_submodule(block.name)):
                rises.append(_total_loss(model, batches) - whole)
            on_progress(block.index + 1, anatomy.block_count)
    return {"ablation": Scores(tuple(rises), {})}


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
