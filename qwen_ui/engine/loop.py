"""The training steps and the evaluation: no files, no clock, nothing between the steps.

The file is longer than others because a step and its proof read the same batches, caches and
graphs: apart, each would hand all of them to the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import torch

from qwen_ui.data import Batch, Examples, Order, collate
from qwen_ui.engine.causal_proof import check_causal
from qwen_ui.engine.evaluation import EvaluationPass
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.head_proof import prove_head
from qwen_ui.engine.keep import Keep
from qwen_ui.engine.mask_proof import prove_maskless
from qwen_ui.engine.optimizer import MasterAdamW
from qwen_ui.engine.packing_proof import PackedPair, check_packing, packed_pair
from qwen_ui.engine.prefix_proof import prove_prefix
from qwen_ui.engine.prefix_source import Cache, PrefixSource
from qwen_ui.engine.process_group import ProcessGroup
from qwen_ui.engine.step_graph import StepGraphs
from qwen_ui.engine.step_report import Evaluation, PendingStep, StepReport
from qwen_ui.engine.stream.foresight import foresee, foresee_masked
from qwen_ui.engine.stream.streamed_run import forget, streams
from qwen_ui.engine.verify import proof_batch, verify_shortcuts

# Given the width and the dtype of the prefix's outputs: the caches of those of the training and of
# the evaluation examples, and of the text to keep.
Caches = tuple[Cache | None, Cache | None, Cache | None]
OpenCaches = Callable[[int, torch.dtype], Caches]
# Fills caches that blocks read one by one have to fill before the first step; see `stream`.
FillCaches = Callable[["Loop", Caches, int, torch.dtype], None]
# Lengths on a GPU are rounded up to it: each shape has its own kernels and graphs.
GPU_LENGTHS = 64


class Loop:
    """Training of one trainee; `verify` comes before the first step.

    Args:
        trainee: the model with its plan applied.
        optimizer: made after the plan.
        training, evaluation: examples.
        keep: examples of a text to keep, if there is one.
        rate: learning rate of a step.
        batch_size: sequences per process per micro-batch.
        gradient_accumulation_steps: micro-batches per step.
        seed: of data order and dropout.
        pad: token that fills up short sequences.
        open_caches: asked for where the prefix's outputs can be cached; None caches none.
        fill_caches: called with them where the prefix's weights are not held.
        group: the processes that train together.
        steps: of the run, as far as that is known.
        prefix_sources: those of a loop on the same trainee and examples, to be shared; None makes
            new ones.

    Attributes:
        keep: measures what the model has lost of the text to keep; None where there is none.
        watching: entered with the step's number around the optimizer's step.
        passes: over the evaluation examples, and over those of the text to keep.
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
        gradient_accumulation_steps: int = 1,
        seed: int = 0,
        pad: int = 0,
        open_caches: OpenCaches | None = None,
        fill_caches: FillCaches | None = None,
        group: ProcessGroup | None = None,
        steps: int | None = None,
        keep: Examples | None = None,
        prefix_sources: tuple[PrefixSource, ...] | None = None,
    ) -> None:
        self.group = group or ProcessGroup()
        self.trainee, self.optimizer = trainee, optimizer
        self.watching: Callable[[int], AbstractContextManager[None]] = lambda step: nullcontext()
        trainee.autocast = self.group.autocast
        self.training = training
        self._rate, self._batch_size, self._pad = rate, batch_size, pad
        self._accumulation, self._seed = gradient_accumulation_steps, seed
        self._order = Order(training, batch_size * self.group.world_size, seed)
        agree: Callable[[bool], bool] = self.group.all if self.group.sharded else bool
        passes = math.inf if steps is None else float(steps * gradient_accumulation_steps)
        self._micro_batches = passes
        epoch = len(training.items) / batch_size
        self.graphs = StepGraphs.for_device(
            trainee, optimizer.parameters, self.group, passes, min(passes, epoch)
        )
        run = None if self.graphs is None else self.graphs.run_prefix
        self.prefix_sources = prefix_sources or tuple(
            PrefixSource(trainee, None, agree, run) for _ in range(3)
        )
        self._open_caches, self._fill_caches = open_caches, fill_caches
        self._multiple = 1 if self.group.device.type == "cpu" else GPU_LENGTHS
        self._next: tuple[int, list[Batch]] | None = None
        judged = [evaluation] if keep is None else [evaluation, keep]
        self.passes = [
            EvaluationPass(trainee, examples, source, self.collated, self.group)
            for examples, source in zip(judged, self.prefix_sources[1:], strict=False)
        ]
        self.keep = None if keep is None else Keep(self.passes[1], batch_size)
        self.tokens = 0

    @property
    def over_evaluation(self) -> EvaluationPass:
        """A pass over the evaluation examples."""
        return self.passes[0]

    def verify(self) -> list[str]:
        """Verify the shortcuts on the first batch, before any step; sentences on what fell back.

        Raises:
            ModelError: the model lets tokens see later ones.
            SettingsError: samples are packed and the model lets them see each other.
        """
        all_data = [self.training, *(one.examples for one in self.passes)]
        items = tuple(item for examples in all_data for item in examples.items)
        pair = packed_pair(
            self.trainee, Examples(items), self._pad, self.group.device, rows=self._batch_size
        )
        said = []
        self.trainee.eval()
        batch = self._batches(1)[0]
        vocabulary = self.trainee.model.config.get_text_config().vocab_size
        short, length = proof_batch(self.training, batch, vocabulary, self._pad)
        short = short.to(self.group.device)
        held, maskless = self.group.together(lambda: self._look_at(batch, short, pair))
        said += [held] if held else []
        self.trainee.maskless = self.group.all(maskless)
        if streams(self.trainee) and not self.trainee.maskless and batch.mask_BT is not None:
            self.group.together(lambda: foresee_masked(self.trainee, batch))
        if self.trainee.cut is not None and (problem := self._prepare_prefix(batch)):
            self.trainee.go_uncut(problem)
            said.append(problem)
        if self.trainee.chunked:
            problem = prove_head(self.trainee, self.trainee.inputs(batch))
            if not self.group.all(not problem):
                self.trainee.chunked = False
                said.append(problem or "In another process the loss cannot be computed in chunks.")
        if self.trainee.cut is not None or self.trainee.chunked or self.trainee.maskless:
            prefix = self.prefix_sources[0].fetch(batch)
            if prefix is not None and short is not batch:
                prefix = prefix[: len(short.indexes), :length]
            said += verify_shortcuts(self.trainee, short, prefix, self.group.all)
        forget(self.trainee)
        self.trainee.train()
        return said

    def _look_at(self, batch: Batch, short: Batch, pair: PackedPair | None) -> tuple[str, bool]:
        """What no shortcut helps: packing and causality; and what is known of masks.

        Returns:
            What has to be in memory beside what was meant to, in a sentence; whether padding needs
            no mask.
        """
        held = ""
        if streams(self.trainee):
            held = foresee(self.trainee, batch, short, self._pad, pair)
        if pair is not None:
            check_packing(self.trainee, pair)
        check_causal(self.trainee, batch)
        return held, prove_maskless(self.trainee, batch, self._pad)

    def _prepare_prefix(self, batch: Batch) -> str:
        """Prove the cut and open the caches of its outputs; why it cannot be used, else ""."""
        inputs = self.trainee.inputs(batch)
        proven, problem = self.group.together(lambda: prove_prefix(self.trainee, inputs))
        if not self.group.all(proven is not None) or proven is None:
            return problem or "In another process the frozen blocks' outputs cannot be cached."
        if self._open_caches is not None:
            width, dtype, opened = proven.shape[-1], proven.dtype, self._open_caches
            caches, problem = self.group.together(lambda: _caches(opened, width, dtype))
            if not self.group.all(caches is not None) or caches is None:
                return problem or "In another process the frozen blocks' outputs cannot be kept."
            for source, cache in zip(self.prefix_sources, caches, strict=True):
                source.cache = cache
            if self._fill_caches is not None:
                self._fill_caches(self, caches, width, dtype)
        return ""

    def first_batches(self) -> Iterator[tuple[int, ...]]:
        """The examples of this process's micro-batches of the first epoch, or of all steps."""
        together = self._batch_size * self.group.world_size
        epoch = math.ceil(len(self.training.items) / together)
        for number in range(int(min(epoch, self._micro_batches))):
            yield self._share(number)

    def judged_batches(self) -> list[tuple[Examples, list[tuple[int, ...]]]]:
        """The evaluation examples, and the text to keep, with this process's batches of each."""
        rank, world_size = self.group.rank, self.group.world_size
        return [
            (one.examples, one.batches(self._batch_size)[rank::world_size]) for one in self.passes
        ]

    def step(self, step: int) -> StepReport:
        """Take the step with this number, counted from 1, and wait for its numbers.

        Raises:
            FloatingPointError: the loss or a gradient is not finite; nothing was changed.
        """
        return self.take(step).read()

    def take(self, step: int) -> PendingStep:
        """Take the step with this number, counted from 1."""
        # What drops out depends on the step alone, so that there is no random state to restore.
        torch.manual_seed(self._seed + 1_000_003 * step + 7919 * self.group.rank)
        group, batches = self.group, self._taken_batches(step)
        carrying, seen = self._step_tokens(step)
        # DDP averages over the processes; the loss is a mean over all their tokens.
        share = group.world_size / carrying
        summed = torch.zeros((), device=group.device)
        replayed = self.graphs is not None
        widened = len(batches) > 1 and (replayed or (not group.sharded and self.optimizer.narrow))
        for number, batch in enumerate(batches):
            syncs = number == len(batches) - 1 and not widened
            prefix = self.prefix_sources[0].fetch(batch)
            self._prepare(step, batches, number)
            if self.graphs is not None:
                summed += self.graphs.run(batch, prefix, share)
                if widened:
                    self.optimizer.add_up()
                continue
            with (
                nullcontext() if syncs else group.no_sync(),
                self.optimizer.adding_up() if widened else nullcontext(),
            ):
                loss = (group.wrapped or self.trainee)(batch, prefix)
                (loss * share).backward()
            summed += loss.detach()
        if widened:
            self.optimizer.average_sums(group)
        loss = group.all_reduce_sum(summed) / carrying
        rate = self._rate(step)
        with self.watching(step):
            norm = self.optimizer.step(rate, loss)
        self.optimizer.zero_grad()
        self.tokens += seen
        report = StepReport(step, math.nan, rate, math.nan, self.tokens, self._epochs(step))
        return PendingStep(report, torch.stack([loss, norm.to(loss)]))

    def without_graphs(self) -> None:
        """Replay nothing from here on."""
        self.graphs = None
        for source in self.prefix_sources:
            source.run_by_the_model()

    def take_notes(self) -> list[str]:
        """What was found on the way since they were last taken, in sentences."""
        return [] if self.graphs is None else self.graphs.take_notes()

    def evaluate(self) -> Evaluation:
        """The losses of the evaluation examples, as the model is now."""
        return self.passes[0].losses(self._batch_size)

    def _batches(self, step: int) -> list[Batch]:
        """This process's micro-batches of a step."""
        first = (step - 1) * self._accumulation
        return [
            self.collated(self.training, self._share(first + number))
            for number in range(self._accumulation)
        ]

    def _share(self, number: int) -> tuple[int, ...]:
        """This process's examples of a micro-batch."""
        begin = self.group.rank * self._batch_size
        return self._order.batch(number)[begin : begin + self._batch_size]

    def _taken_batches(self, step: int) -> list[Batch]:
        held, self._next = self._next, None
        return held[1] if held is not None and held[0] == step else self._batches(step)

    def _prepare(self, step: int, batches: list[Batch], number: int) -> None:
        """Have the prefix's outputs for the next micro-batch read while a GPU computes this one."""
        if self.group.device.type == "cpu":
            return
        if number + 1 < len(batches):
            self.prefix_sources[0].prepare(batches[number + 1])
        else:
            self._next = (step + 1, self._batches(step + 1))
            self.prefix_sources[0].prepare(self._next[1][0])

    def collated(self, examples: Examples, indexes: tuple[int, ...]) -> Batch:
        """The batch of these examples, on the device."""
        masked = not self.trainee.maskless
        batch = collate(examples, indexes, self._pad, masked=masked, multiple=self._multiple)
        return batch.to(self.group.device)

    def _step_tokens(self, step: int) -> tuple[int, int]:
        """Tokens of a step over all processes: those that carry loss, and all."""
        first = (step - 1) * self._accumulation
        numbers = range(first, first + self._accumulation)
        indexes = [i for number in numbers for i in self._order.batch(number)]
        carrying, bounds = self.training.loss_tokens, self.training.arrays.bounds
        return sum(carrying[i] for i in indexes), sum(bounds[i + 1] - bounds[i] for i in indexes)

    def _epochs(self, step: int) -> float:
        return self._order.epochs(step * self._accumulation)


def _caches(opened: OpenCaches, width: int, dtype: torch.dtype) -> tuple[Caches | None, str]:
    """The caches; None where there is no place for their files, and the sentence that says so."""
    try:
        return opened(width, dtype), ""
    except OSError as error:
        return None, (
            f"The outputs of the frozen blocks cannot be kept ({error.strerror}), so they are run "
            "at every step. Make room on the disk."
        )
