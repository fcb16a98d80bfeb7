"""What is taken through the frozen blocks in memory: a few tokens, and who depends on whom."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import nn

from qwen_ui.engine.derivative import depends_on


class BlockRunner(Protocol):
    """Runs single frozen blocks: `StreamedCut`."""

    def run_block(
        self, index: int, inputs: dict[str, Any], hidden_BTH: torch.Tensor | None
    ) -> torch.Tensor: ...

    @property
    def embedding(self) -> nn.Module: ...

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

    Attributes:
        error: what a block raised, which ended it.
    """

    def __init__(self, inputs: dict[str, Any], *, training: bool = False) -> None:
        self.inputs, self.training = inputs, training
        self.error: Exception | None = None
        self._hidden_BTH: torch.Tensor | None = None

    @property
    def output(self) -> torch.Tensor:
        """What the last block gave (B, T, H); raises what a block raised."""
        if self.error is not None:
            raise self.error
        assert self._hidden_BTH is not None, "it has been through no block yet"
        return self._hidden_BTH

    def wants(self, index: int) -> bool:
        return self.error is None

    def advance(self, index: int, cut: BlockRunner) -> None:
        try:
            with torch.no_grad(), cut.training(self.training):
                self._hidden_BTH = cut.run_block(index, self.inputs, self._hidden_BTH)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            # The model's own code may want a mask, or raise at anything else; the others go on.
            self.error = error


class Influence:
    """Which tokens the outputs of each frozen block depend on, by derivatives of that block alone.

    Args:
        inputs: arguments of the model's forward.
        states: positions whose outputs are looked at.

    Attributes:
        error: what a block raised, which ended it.
    """

    def __init__(self, inputs: dict[str, Any], states: slice) -> None:
        self.inputs, self.states = inputs, states
        self.error: Exception | None = None
        self._hidden_BTH: torch.Tensor | None = None
        self._found: list[torch.Tensor | None] = []

    @property
    def depends_BT(self) -> torch.Tensor | None:
        """Whether any block lets them look at each token; None where one cannot be asked.

        Raises what a block raised.
        """
        if self.error is not None:
            raise self.error
        known = [found for found in self._found if found is not None]
        if not known or len(known) < len(self._found):
            return None
        return torch.stack(known).any(0)

    @property
    def output(self) -> torch.Tensor:
        """What the last block gave (B, T, H), without a graph."""
        assert self._hidden_BTH is not None, "it has been through no block yet"
        return self._hidden_BTH

    def wants(self, index: int) -> bool:
        return self.error is None

    def advance(self, index: int, cut: BlockRunner) -> None:
        try:
            self._differentiate(index, cut)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:
            # As above.
            self.error = error

    def _differentiate(self, index: int, cut: BlockRunner) -> None:
        leaves: list[torch.Tensor] = []

        def leaf(values_BTH: torch.Tensor) -> torch.Tensor:
            leaves.append(values_BTH.detach().requires_grad_())
            return leaves[-1].clone()  # a model may write to it in place

        handle = None
        with torch.enable_grad(), cut.training(False):
            if self._hidden_BTH is None:
                handle = cut.embedding.register_forward_hook(lambda _m, _g, values: leaf(values))
                given = None
            else:
                given = leaf(self._hidden_BTH)
            try:
                output_BTH = cut.run_block(index, self.inputs, given)
            finally:
                if handle is not None:
                    handle.remove()
            found = depends_on(output_BTH[:, self.states], leaves[0]) if leaves else None
        self._found.append(found)
        self._hidden_BTH = output_BTH.detach()
