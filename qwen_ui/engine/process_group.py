"""The processes that train together, as the loop sees them; `accelerator` makes them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

CPU = torch.device("cpu")


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a run; one process by default.

    Attributes:
        world_size: number of processes.
        rank: of this process, counted from 0.
        device: where this process computes.
        wrapped: the trainee as accelerate prepared it (DDP); None: as it is.
        sharded: the weights are sharded, so that a forward pass takes all processes together.
        all_reduce_sum: the sum of a tensor over the processes.
        no_sync: context in which gradients are not yet exchanged.
        autocast: context of mixed precision.
    """

    world_size: int = 1
    rank: int = 0
    device: torch.device = CPU
    wrapped: nn.Module | None = None
    sharded: bool = False
    all_reduce_sum: Callable[[torch.Tensor], torch.Tensor] = lambda value: value
    no_sync: Callable[[], Any] = nullcontext
    autocast: Callable[[], Any] = nullcontext

    def any(self, flag: bool) -> bool:
        """Whether it is so in one process at least; all have to ask together."""
        if self.world_size == 1:
            return flag
        return float(self.all_reduce_sum(torch.tensor(float(flag), device=self.device))) > 0

    def all(self, flag: bool) -> bool:
        """Whether it is so in every process; all have to ask together."""
        return not self.any(not flag)
