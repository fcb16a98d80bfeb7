"""What is taken through the frozen blocks in memory: a few tokens, and who depends on whom."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch


class BlockRunner(Protocol):
    """Runs single frozen blocks: `StreamedCut`."""

    def run_block(
        self, index: int, inputs: dict[str, Any], hidden_BTH: torch.Tensor | None
    ) -> torch.Tensor: ...

    def training(self, training: bool) -> AbstractContextManager[None]: ...


class Passenger(Protocol):
    """Something that goes through the frozen blocks, one after the other."""

    def wants(self, index: int) -> bool:
        """Whether this block has anything to do for it."""
        ...

    def advance(self, index: int, cut: BlockRunner) -> None:
        """Go through this block, whose weights are here."""
        ...


class Carried:
    """Outputs of the frozen blocks for a few tokens, held in memory.

    Args:
        inputs: arguments of the model's forward.
        training: whether blocks run in training mode.
    """

    def __init__(self, inputs: dict[str, Any], *, training: bool = False) -> None:
        self.inputs, self.training = inputs, training
        self._hidden_BTH: torch.Tensor | None = None

    @property
    def output(self) -> torch.Tensor:
        """What the last block gave (B, T, H)."""
        assert self._hidden_BTH is not None, "it has been through no block yet"
        return self._hidden_BTH

    def wants(self, index: int) -> bool:
        return True

    def advance(self, index: int, cut: BlockRunner) -> None:
        with torch.no_grad(), cut.training(self.training):
            self._hidden_BTH = cut.run_block(index, self.inputs, self._hidden_BTH)
