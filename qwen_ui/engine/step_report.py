"""What a step and an evaluation came to; a step's numbers may still be on their way.

A GPU computes what it was told while this process goes on, as long as nothing asks it for a number.
So a step gives back what will be known of it, and whoever wants the numbers reads them later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a step did.

    Attributes:
        step: number of the step, from 1.
        loss: mean over all tokens of the step that carry loss, over all processes (nats).
        learning_rate: of this step.
        gradient_norm: of all gradients together, before clipping.
        tokens: real tokens seen so far, over all processes.
        epoch: how many times the data have been seen.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    epoch: float


class PendingStep:
    """A step whose numbers are on their way from the device.

    Args:
        report: what is known of it without them; its loss and norm count for nothing.
        numbers: loss and norm (2), on the device.
    """

    def __init__(self, report: StepReport, numbers: torch.Tensor) -> None:
        self._report = report
        self._copied = None
        if numbers.is_cuda:
            self._numbers = numbers.to("cpu", non_blocking=True)
            self._copied = torch.cuda.Event()
            self._copied.record()
        else:
            self._numbers = numbers

    def read(self) -> StepReport:
        """Wait for the numbers.

        Raises:
            FloatingPointError: the loss or a gradient is not finite; nothing was changed.
        """
        if self._copied is not None:
            self._copied.synchronize()
        loss, norm = self._numbers.tolist()
        if not math.isfinite(loss):
            raise FloatingPointError(f"The loss of step {self._report.step} is {loss}.")
        if not math.isfinite(norm):
            raise FloatingPointError("The gradients are not finite.")
        return replace(self._report, loss=loss, gradient_norm=norm)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Losses of the evaluation examples.

    Attributes:
        tokens: tokens of each example that carry loss.
        sums: sum of each example's losses (nats).
    """

    tokens: tuple[int, ...]
    sums: tuple[float, ...]

    @property
    def loss(self) -> float:
        """Mean over all tokens that carry loss (nats)."""
        return math.fsum(self.sums) / sum(self.tokens)
