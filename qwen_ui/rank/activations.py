"""Importance by what the blocks do to hidden states: three from one forward pass per batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from qwen_ui.data import Batch
from qwen_ui.model import Anatomy
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.rank.blocks import Here, held
from qwen_ui.rank.scores import Cells, Progress, Scores, scores_of


def activation_pass(
    model: PreTrainedModel,
    anatomy: Anatomy,
    batches: Sequence[Batch],
    on_progress: Progress,
    here: Here = held,
) -> dict[str, Scores]:
    """`activation`, `change` and `wanda`, over real tokens alone (no padding)."""
    turned, added = [0.0] * anatomy.block_count, [0.0] * anatomy.block_count
    squares: dict[str, torch.Tensor] = {}
    count = 0
    real_BT = torch.ones(0)

    def see_block(index: int, before: torch.Tensor, after: torch.Tensor) -> None:
        x, y = before.double()[real_BT], after.double()[real_BT]
        turned[index] += float((1 - F.cosine_similarity(x, y, dim=-1)).sum())
        added[index] += float(((y - x).norm(dim=-1) / x.norm(dim=-1).clamp_min(1e-12)).sum())

    def see_linear(name: str, before: torch.Tensor) -> None:
        if before.shape[:2] == real_BT.shape:
            square = before.double()[real_BT].square().sum(0)
            squares[name] = squares.get(name, torch.zeros_like(square)) + square

    with _activation_hooks(model, anatomy, see_block, see_linear), torch.no_grad():
        for number, batch in enumerate(batches):
            real_BT = _real(batch)
            count += int(real_BT.sum())
            model.base_model(**batch.inputs)
            on_progress(number + 1, len(batches))
    sizes = {name: (square / count).sqrt() for name, square in squares.items()}
    return {
        "activation": Scores(tuple(total / count for total in turned), {}),
        "change": Scores(tuple(total / count for total in added), {}),
        "wanda": _wanda(model, anatomy, sizes, here),
    }


def _wanda(
    model: PreTrainedModel, anatomy: Anatomy, sizes: dict[str, torch.Tensor], here: Here
) -> Scores:
    cells: Cells = {}
    unranked: dict[str, None] = {}
    for block in anatomy.blocks:
        with here(block.index):
            for parameter in (p for p in anatomy.parameters if p.block == block.index):
                size = sizes.get(parameter.name)
                if size is None:
                    unranked[parameter.kind] = None
                    continue
                weight = model.get_parameter(parameter.name).detach().double().abs()
                cells[block.index, parameter.kind] = float((weight.mean(0) * size).mean())
    return scores_of(cells, anatomy.block_count, "relative", tuple(unranked))


@contextmanager
def _activation_hooks(
    model: PreTrainedModel,
    anatomy: Anatomy,
    see_block: Callable[[int, torch.Tensor, torch.Tensor], None],
    see_linear: Callable[[str, torch.Tensor], None],
) -> Iterator[None]:
    """Call `see_block` with a block's input and output, `see_linear` with a linear's input."""

    def block_hook(index: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            before = args[0] if args else kwargs["hidden_states"]
            see_block(index, before, output[0] if isinstance(output, tuple) else output)

        return hook

    def linear_hook(name: str) -> Callable[..., None]:
        return lambda module, args: see_linear(name, args[0])

    handles = []
    for block in anatomy.blocks:
        module = model.get_submodule(block.name)
        handles.append(module.register_forward_hook(block_hook(block.index), with_kwargs=True))
        for name, child in module.named_modules():
            if isinstance(child, nn.Linear):
                hook = linear_hook(f"{block.name}.{name}.weight")
                handles.append(child.register_forward_pre_hook(hook))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _real(batch: Batch) -> torch.Tensor:
    if batch.mask_BT is None:
        return torch.ones_like(batch.tokens_BT, dtype=torch.bool)
    return batch.mask_BT.bool()
