"""The values that the trained tensors began with, put back for the length of a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from qwen_ui.engine.sharding import local, reshard
from qwen_ui.runs import termination


class BaseValues:
    """Copies of what trains in a module, as it is now; on the same device, as wide as they are.

    Adapters are of use too: they add nothing where they begin.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        trained = [p for p in module.parameters() if p.requires_grad]
        self._pairs = [(p, local(p.detach()).clone()) for p in trained]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the module computes with the copied values; afterwards with its own again.

        A signal to end waits: broken off in the middle, the module would be of two kinds.
        """
        with termination.held():
            self._exchange()
            try:
                yield
            finally:
                self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        """In place, since graphs that a GPU replays hold the addresses."""
        for parameter, held in self._pairs:
            here = local(parameter.detach())
            present = here.clone()
            here.copy_(held)
            held.copy_(present)
        reshard(self._module)
