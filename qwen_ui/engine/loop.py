"""The steps: no process, no files, no clock. Whoever runs it says what to do between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from qwen_ui.data import Batch, Examples, Order, collate
from qwen_ui.engine.forward import PrefixSource, Trainee
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.engine.prefix_cache import KeptPrefix
from qwen_ui.engine.verify import check_packing, proof_batch, settle

# Batches made of token ids that are held ready: a run with few of them makes each once.
READY_BATCHES = 256
CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a step did.

    Attributes:
        step: counted from 1.
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


@dataclass(frozen=True)
class Team:
    """The processes that train together; alone by default.

    Attributes:
        count: processes.
        rank: this one, counted from 0.
        device: where this one computes.
        wrapped: the trainee as accelerate prepared it; None means as it is.
        sharded: the weights are shared out, so that a forward takes all processes together.
        total: sums a tensor over the processes.
        waits: context in which gradients are not yet exchanged.
        computes: context of mixed precision.
    """

    count: int = 1
    rank: int = 0
    device: torch.device = CPU
    wrapped: nn.Module | None = None
    sharded: bool = False
    total: Callable[[torch.Tensor], torch.Tensor] = lambda value: value
    waits: Callable[[], Any] = nullcontext
    computes: Callable[[], Any] = nullcontext


class Loop:
    """Training of one trainee.

    Args:
        trainee: the model with its plan applied.
        optimizer: made after the plan.
        training, evaluation: examples.
        rate: learning rate of a step.
        batch_size: sequences of a batch, for each process.
        accumulation: batches of a step.
        pad: token that fills up short sequences.
        kept: kept prefix outputs of the training and of the evaluation examples.
    """

    def __init__(
        self,
        trainee: Trainee,
        optimizer: MasterAdamW,
        training: Examples,
        evaluation: Examples,
        *,
        rate: Callable[[int], float],
        batch_size: int,
        accumulation: int = 1,
        seed: int = 0,
        pad: int = 0,
        kept: tuple[KeptPrefix | None, KeptPrefix | None] = (None, None),
        team: Team | None = None,
    ) -> None:
        self.team = team or Team()
        self.trainee, self.optimizer = trainee, optimizer
        self._training, self._evaluation = training, evaluation
        self._rate, self._batch_size, self._pad = rate, batch_size, pad
        self._accumulation, self._seed = accumulation, seed
        self._order = Order(training, batch_size * self.team.count, seed)
        agree: Callable[[bool], bool] = self._all if self.team.sharded else bool
        self.sources = tuple(PrefixSource(trainee, k, agree) for k in kept)
        self._ready = lru_cache(maxsize=READY_BATCHES)(self._collate)
        self.tokens = 0

    def settle(self) -> list[str]:
        """Prove the shortcuts on the first batch, before any step; sentences on what fell back.

        Raises:
            SettingsError: samples are packed and the model lets them see each other.
        """
        with self.team.computes():
            check_packing(self.trainee, self._training, self._pad, self.team.device)
        if self.trainee.cut is None and not self.trainee.chunked:
            return []
        batch = self._batches(1)[0]
        self.trainee.eval()
        with self.team.computes():
            kept = self.sources[0].fetch(batch)
            words = self.trainee.model.config.get_text_config().vocab_size
            short, length = proof_batch(self._training, batch, words, self._pad)
            short = short.to(self.team.device)
            if kept is not None and short is not batch:
                kept = kept[: len(short.indexes), :length]
            said = settle(self.trainee, short, kept, self._all)
        self.trainee.train()
        return said

    def _all(self, passed: bool) -> bool:
        """Whether all processes passed: they have to agree on what they run."""
        failed = torch.tensor(float(not passed), device=self.team.device)
        return float(self.team.total(failed)) == 0

    def step(self, step: int) -> StepReport:
        """Take the step of this number, counted from 1.

        Raises:
            FloatingPointError: the loss or a gradient is no finite number; nothing was changed.
        """
        # What drops out depends on the step alone, so that there is no random state to restore.
        torch.manual_seed(self._seed + 1_000_003 * step + 7919 * self.team.rank)
        team, batches = self.team, self._batches(step)
        carrying, seen = self._step_tokens(step)
        summed = torch.zeros((), device=team.device)
        for number, batch in enumerate(batches):
            with nullcontext() if number == len(batches) - 1 else team.waits():
                with team.computes():
                    kept = self.sources[0].fetch(batch)
                    loss = (team.wrapped or self.trainee)(batch, kept)
                # DDP averages over the processes; the loss is a mean over all their tokens.
                (loss * (team.count / carrying)).backward()
            summed += loss.detach()
        loss = float(team.total(summed)) / carrying
        if not math.isfinite(loss):
            self.optimizer.zero_grad()
            raise FloatingPointError(f"The loss of step {step} is {loss}.")
        rate = self._rate(step)
        norm = self.optimizer.step(rate)
        self.optimizer.zero_grad()
        self.tokens += seen
        return StepReport(step, loss, rate, norm, self.tokens, self._epochs(step))

    def evaluate(self) -> float:
        """Mean loss over all loss-carrying tokens of the evaluation examples (nats)."""
        team, size = self.team, self._batch_size
        by_length = sorted(
            range(len(self._evaluation.items)), key=lambda i: len(self._evaluation.items[i].tokens)
        )
        groups = [tuple(by_length[i : i + size]) for i in range(0, len(by_length), size)]
        summed = torch.zeros((), dtype=torch.float64)
        with _evaluating(self.trainee), torch.no_grad(), team.computes():
            # Every process takes as many groups: one too many is run and not counted.
            for first in range(0, len(groups), team.count):
                number = first + team.rank
                indexes = groups[min(number, len(groups) - 1)]
                batch = collate(self._evaluation, indexes, self._pad).to(team.device)
                loss = float(self.trainee(batch, self.sources[1].fetch(batch)))
                summed += loss if number < len(groups) else 0.0
        count = sum(example.loss_tokens for example in self._evaluation.items)
        return float(team.total(summed.float().to(team.device))) / count

    def _batches(self, step: int) -> list[Batch]:
        """This process's batches of a step."""
        first = (step - 1) * self._accumulation
        begin = self.team.rank * self._batch_size
        return [
            self._ready(self._order.batch(first + number)[begin : begin + self._batch_size])
            for number in range(self._accumulation)
        ]

    def _collate(self, indexes: tuple[int, ...]) -> Batch:
        return collate(self._training, indexes, self._pad).to(self.team.device)

    def _step_tokens(self, step: int) -> tuple[int, int]:
        """Tokens of a step over all processes: those that carry loss, and all."""
        first = (step - 1) * self._accumulation
        numbers = range(first, first + self._accumulation)
        items = [self._training.items[i] for number in numbers for i in self._order.batch(number)]
        return sum(item.loss_tokens for item in items), sum(len(item.tokens) for item in items)

    def _epochs(self, step: int) -> float:
        return self._order.epochs(step * self._accumulation)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    module.eval()
    try:
        yield
    finally:
        module.train()
