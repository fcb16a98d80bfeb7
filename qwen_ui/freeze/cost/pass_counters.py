"""One forward and one backward pass of a part of a model, under all counters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from qwen_ui.freeze.cost.live_bytes import LiveBytes, SavedBytes, flop_counter, storage_key
from qwen_ui.freeze.cost.segments import Segment


class PassCounters:
    """Counts a forward pass, then a backward pass, and gives the `Segment` that they come to.

    Args:
        module: the whole model; its own tensors are not among what is saved.

    Attributes:
        saved: storage -> bytes that the forward pass saved for the backward pass.
    """

    def __init__(self, module: nn.Module) -> None:
        self._storages = SavedBytes(module)
        self._live = LiveBytes()
        self._flops = [0, 0]
        self._peaks = [0, 0]
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
        self._flops[0], self._peaks[0] = counter.get_total_flops(), self._live.peak
        self.saved = {key: saved.nbytes() for key, saved in self._storages.storages.items()}
        # Held no longer, so that the backward pass can free them as it goes.
        self._storages.storages.clear()

    def backward(self, output: torch.Tensor, gradient: torch.Tensor | None) -> None:
        """Run and count the backward pass."""
        counter = flop_counter()
        self._live.restart_peak()
        with counter, self._live:
            torch.autograd.backward(output, gradient)
        self._flops[1], self._peaks[1] = counter.get_total_flops(), self._live.peak

    def segment(
        self, hidden: torch.Tensor | None, given: frozenset[int], output: torch.Tensor
    ) -> Segment:
        """What was counted.

        Args:
            hidden: the input, where it may have been saved.
            given: storages of the other arguments, which blocks share.
            output: what the forward pass returned.
        """
        sizes = self.saved
        return Segment(
            flops_forward=self._flops[0],
            flops_backward=self._flops[1],
            saved=sum(size for k, size in sizes.items() if k not in given),
            shared=frozenset((k, size) for k, size in sizes.items() if k in given),
            saved_input=0 if hidden is None else sizes.get(storage_key(hidden), 0),
            forward_peak=self._peaks[0],
            backward_peak=self._peaks[1],
            output=output.untyped_storage().nbytes(),
        )
