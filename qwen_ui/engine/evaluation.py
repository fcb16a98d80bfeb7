"""Passes over examples without gradients, dealt out to the processes that train together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from qwen_ui.data import Batch, Examples
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.prefix_source import PrefixSource
from qwen_ui.engine.process_group import ProcessGroup
from qwen_ui.engine.sharding import reshard
from qwen_ui.engine.step_report import Evaluation


@dataclass(frozen=True, slots=True)
class Part:
    """A batch of a pass, in one process.

    Attributes:
        number: of the batch in the pass; the same examples have the same one in every pass.
        samples: the example of each position that carries a loss (N).
        counted: whether it counts: every process takes equally many batches, and one too many is
            run for the others' sake.
    """

    number: int
    batch: Batch
    prefix_BTH: torch.Tensor | None
    samples: torch.Tensor
    counted: bool


class EvaluationPass:
    """Goes through examples in batches of similar lengths, always in the same ones.

    Args:
        trainee: the model, in whatever mode; it is in evaluation mode meanwhile.
        source: of the prefix's outputs for these examples.
        collate: makes a batch of the examples with these indexes, on the device.
        group: the processes that train together.

    Attributes:
        watch: told of the tokens of every batch that is done, over all processes.
    """

    def __init__(
        self,
        trainee: Trainee,
        examples: Examples,
        source: PrefixSource,
        collate: Callable[[Examples, tuple[int, ...]], Batch],
        group: ProcessGroup,
    ) -> None:
        self.trainee, self.examples, self.source, self.group = trainee, examples, source, group
        self._collate = collate
        self.watch: Callable[[int], None] = lambda tokens: None
        # MPS has no float64; sums of one sample are exact enough in float32 there.
        self.dtype = torch.float32 if group.device.type == "mps" else torch.float64

    def batches(self, size: int) -> list[tuple[int, ...]]:
        """The examples of each batch of `size` sequences, over all processes."""
        examples = self.examples.items
        by_length = sorted(range(len(examples)), key=lambda i: len(examples[i].tokens))
        return [tuple(by_length[i : i + size]) for i in range(0, len(by_length), size)]

    def parts(self, size: int) -> Iterator[Part]:
        """This process's batches, of `size` sequences each."""
        chunks, group = self.batches(size), self.group
        with evaluating(self.trainee), torch.no_grad():
            for first in range(0, len(chunks), group.world_size):
                number = first + group.rank
                indexes = chunks[min(number, len(chunks) - 1)]
                batch = self._collate(self.examples, indexes)
                prefix = self.source.fetch(batch)
                row = batch.rows // batch.tokens_BT.shape[1]
                samples = torch.tensor(indexes, device=group.device)[row]
                yield Part(number, batch, prefix, samples, number < len(chunks))
                self.watch(batch.token_count * group.world_size)

    def sums(self, count: int = 1) -> torch.Tensor:
        """Zeros for `count` figures of every example (count, S)."""
        shape = (count, len(self.examples.items))
        return torch.zeros(shape, dtype=self.dtype, device=self.group.device)

    def losses(self, size: int) -> Evaluation:
        """The losses of the examples, as the model is now."""
        sums = self.sums()
        for part in self.parts(size):
            losses = self.trainee(part.batch, part.prefix_BTH, each=True)
            if part.counted:
                sums[0].index_add_(0, part.samples, losses.to(self.dtype))
        summed: list[float] = self.group.all_reduce_sum(sums)[0].tolist()
        return Evaluation(self.examples.loss_tokens, tuple(summed))


@contextmanager
def evaluating(trainee: Trainee) -> Iterator[None]:
    """Inside, nothing drops out; afterwards the trainee is in training mode."""
    trainee.eval()
    try:
        yield
    finally:
        trainee.train()
        reshard(trainee)
