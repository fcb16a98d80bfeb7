"""What decides the cost of a part of a model in one step, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import nn

    HeadLoss = Callable[[torch.Tensor, nn.Module, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class StepShape:
    """Sequences per step, tokens per sequence, and whether some are padding (a mask is made)."""

    batch_size: int
    sequence_length: int
    padded: bool = True

    @property
    def tokens(self) -> int:
        return self.batch_size * self.sequence_length


@dataclass(frozen=True, slots=True)
class BlockState:
    """What decides the cost of a block in one step, apart from its shape."""

    trains: frozenset[str]
    input_needs_gradient: bool
    checkpointed: bool

    @property
    def needs_backward(self) -> bool:
        return bool(self.trains) or self.input_needs_gradient


@dataclass(frozen=True, slots=True)
class Segment:
    """FLOPs and bytes of a part of the model (a block, or all that is outside) in one step.

    Attributes:
        flops_forward: of its forward pass.
        flops_backward: of its backward pass, recomputation under checkpointing included.
        saved: bytes that it alone saves for the backward pass.
        shared: (storage, bytes) of saved tensors that other blocks may save as well (the mask, the
            rotary tables): counted once in a model.
        saved_input: the part of `saved` that existed before (its input).
        forward_peak: the most bytes allocated at once by its forward pass.
        backward_peak: the same for its backward pass, what it saved and its gradients included.
        output: bytes of its output.
    """

    flops_forward: int
    flops_backward: int
    saved: int
    shared: frozenset[tuple[int, int]]
    saved_input: int
    forward_peak: int
    backward_peak: int
    output: int


class Tracer(Protocol):
    """What gives the segments of a step; `segment_tracer` traces them."""

    @property
    def itemsize(self) -> int:
        """Bytes per element of the hidden state."""
        ...

    @property
    def hidden_bytes_per_token(self) -> int:
        """Bytes per token of the hidden state between two blocks."""
        ...

    def block(self, index: int, state: BlockState) -> Segment:
        """The segment of this block."""
        ...

    def outside(
        self, trains: frozenset[str], blocks_need_gradient: bool, head_loss: HeadLoss | None = None
    ) -> Segment:
        """The segment of all that is outside the blocks."""
        ...
