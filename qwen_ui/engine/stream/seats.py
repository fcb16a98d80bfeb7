"""Places in a model's module tree where a stand-in sits for as long as a module has no weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from qwen_ui.engine.prefix_cut import PassThrough


@dataclass(frozen=True, slots=True)
class Seat:
    """A place, the module that belongs there, and its stand-in."""

    modules: dict[str, nn.Module | None]
    name: str
    module: nn.Module
    stand_in: nn.Module

    def put(self, module: nn.Module | None) -> nn.Module | None:
        """Have this module sit there; who sat there before."""
        before = self.modules[self.name]
        self.modules[self.name] = module
        return before


class AbsentBlock(PassThrough):
    """Stands in for a block without weights, for good; open only while something else runs."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__(block)
        self.open = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        assert self.open, "a frozen block runs whose weights are not in memory"
        return super().forward(*args, **kwargs)


class AbsentEmbedding(PassThrough):
    """Stands in for an input embedding without weights: gives zeros.

    The stand-ins of the blocks put what was kept in their place. What else a model does with its
    embeddings shows when the states are compared with those of the whole model.
    """

    def forward(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        tokens_BT: torch.Tensor = args[0] if args else next(iter(kwargs.values()))
        weight: torch.Tensor = self.block.weight
        shape = (*tokens_BT.shape, weight.shape[-1])
        return torch.zeros(shape, dtype=weight.dtype, device=tokens_BT.device)


def seats_of(model: nn.Module, module: nn.Module, stand_in: nn.Module) -> Iterator[Seat]:
    """Every place in a model where this module sits."""
    for parent in model.modules():
        for name, child in parent._modules.items():
            if child is module:
                yield Seat(parent._modules, name, module, stand_in)
