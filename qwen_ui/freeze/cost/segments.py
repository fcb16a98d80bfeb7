"""What decides the cost of a part of a model in one step, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    """What decides the cost of a block in one step, apart from its shape.

    Attributes:
        trains: kinds of the block that train.
        input_needs_gradient: something before the block trains.
        checkpointed: the block is run again for its backward pass.
        accumulates: its gradients exist already, and this pass's are added to them.
    """

    trains: frozenset[str]
    input_needs_gradient: bool
    checkpointed: bool
    accumulates: bool = False

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
        shared: (which, bytes) of saved tensors that other blocks may save as well (the mask, the
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


@dataclass(frozen=True, slots=True)
class Profile:
    """What one trace of a part counted, instant by instant.

    Attributes:
        operations: names of those that allocate, of the forward and of the backward pass.
        arguments: which of the model's shared tensors it saves, by the order in which the blocks
            are given them.
        numbers: FLOPs forward and backward; bytes saved, of the saved input and of the output;
            bytes of each shared argument; then bytes allocated at the start and after each
            operation, of the forward pass and of the backward pass. How many there are follows
            from the others.
    """

    operations: tuple[tuple[str, ...], tuple[str, ...]]
    arguments: tuple[int, ...]
    numbers: tuple[int, ...]

    def segment(self, numbers: tuple[int, ...] | None = None) -> Segment:
        """The costs; of another shape where its numbers are given."""
        flops_forward, flops_backward, saved, saved_input, output, *rest = numbers or self.numbers
        sizes, levels = rest[: len(self.arguments)], rest[len(self.arguments) :]
        middle = len(self.operations[0]) + 1
        return Segment(
            flops_forward=flops_forward,
            flops_backward=flops_backward,
            saved=saved,
            shared=frozenset(zip(self.arguments, sizes, strict=True)),
            saved_input=saved_input,
            forward_peak=max(levels[:middle]),
            backward_peak=max(levels[middle:]),
            output=output,
        )
