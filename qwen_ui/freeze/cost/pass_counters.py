"""One forward and one backward pass of a part of a model, under all counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from qwen_ui.freeze.cost.live_bytes import LiveBytes, SavedBytes, flop_counter, storage_key
from qwen_ui.freeze.cost.segments import Profile


class PassCounters:
    """Counts a forward pass, then a backward pass, and gives the `Profile` that they come to.

    Args:
        module: the whole model; its own tensors are not among what is saved.

    Attributes:
        saved: storage -> bytes that the forward pass saved for the backward pass.
    """

    def __init__(self, module: nn.Module) -> None:
        self._storages = SavedBytes(module)
        self._live = LiveBytes()
        self._flops = [0, 0]
        # Without a backward pass nothing is allocated in it.
        self._levels: list[list[int]] = [[0], [0]]
        self._operations: list[list[str]] = [[], []]
        self.saved: dict[int, int] = {}

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Count what runs inside as the forward pass."""
        counter = flop_counter()
        with ExitStack() as stack:
            stack.enter_context(counter)
            stack.enter_context(self._live)
            stack.enter_context(saved_tensors_hooks(self._storages.pack, lambda tensor: tensor))
            yield
        self._take_down(0, counter.get_total_flops())
        self.saved = {key: saved.nbytes() for key, saved in self._storages.storages.items()}
        # Held no longer, so that the backward pass can free them as it goes.
        self._storages.storages.clear()

    def backward(self, output: torch.Tensor, gradient: torch.Tensor | None) -> None:
        """Run and count the backward pass."""
        counter = flop_counter()
        self._live.restart()
        with counter, self._live:
            torch.autograd.backward(output, gradient)
        self._take_down(1, counter.get_total_flops())

    def _take_down(self, which: int, flops: int) -> None:
        self._flops[which] = flops
        self._levels[which], self._operations[which] = self._live.levels, self._live.operations

    def profile(
        self, hidden: torch.Tensor | None, given: Mapping[int, int], output: torch.Tensor
    ) -> Profile:
        """What was counted.

        Args:
            hidden: the input, where it may have been saved.
            given: storages of the other arguments, which blocks share, and which each is.
            output: what the forward pass returned.
        """
        sizes = self.saved
        shared = sorted((given[key], size) for key, size in sizes.items() if key in given)
        return Profile(
            operations=(tuple(self._operations[0]), tuple(self._operations[1])),
            arguments=tuple(which for which, _ in shared),
            numbers=(
                *self._flops,
                sum(size for key, size in sizes.items() if key not in given),
                0 if hidden is None else sizes.get(storage_key(hidden), 0),
                output.untyped_storage().nbytes(),
                *(size for _, size in shared),
                *self._levels[0],
                *self._levels[1],
            ),
        )
