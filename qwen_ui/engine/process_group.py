"""The processes that train together, as the loop sees them; `accelerator` makes them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from qwen_ui.engine.stream.refusal import StreamError
from qwen_ui.errors import ModelError, UserError

T = TypeVar("T")
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
        gather: a text of each process, by rank.
        no_sync: context in which gradients are not yet exchanged.
        autocast: context of mixed precision.
    """

    world_size: int = 1
    rank: int = 0
    device: torch.device = CPU
    wrapped: nn.Module | None = None
    sharded: bool = False
    all_reduce_sum: Callable[[torch.Tensor], torch.Tensor] = lambda value: value
    gather: Callable[[str], list[str]] = lambda text: [text]
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

    def together(self, work: Callable[[], T]) -> T:
        """Do something in which nothing is exchanged; where it fails in one process, all fail.

        One that left alone would have the others wait for it where they next meet.

        Args:
            work: the same in all processes, on what is theirs.

        Raises:
            StreamError, ModelError: it failed in another process; that one raises what it was.
        """
        if self.world_size == 1:
            return work()
        failed: Exception | None = None
        try:
            done = work()
        except Exception as error:
            # Whatever it is: it is raised again once the others know.
            failed = error
        told = self.gather(_told(failed))
        if failed is not None:
            raise failed
        for rank, said in enumerate(told):
            kind, _, text = said.partition(" ")
            if said:
                raise _KINDS[kind](f"In process {rank} of {self.world_size}: {text}")
        return done


# What other processes raise for it: all turn back where one's frozen blocks cannot be streamed.
_KINDS: dict[str, type[UserError]] = {"stream": StreamError, "other": ModelError}


def _told(error: Exception | None) -> str:
    """What the other processes are told: its kind and its words; "" where nothing failed."""
    if error is None:
        return ""
    kind = "stream" if isinstance(error, StreamError) else "other"
    text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return f"{kind} {text}"
