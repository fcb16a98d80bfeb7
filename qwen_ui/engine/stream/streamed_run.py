"""What a run does otherwise where its frozen blocks are read one by one from the files."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from qwen_ui.engine.hardware import return_large_pieces
from qwen_ui.engine.prefix_cut import block_list, drops_below
from qwen_ui.engine.stream.prefix_pass import PrefixPass, Reading, refuse_beyond_budget
from qwen_ui.engine.stream.refusal import StreamError
from qwen_ui.engine.stream.sequences import covering
from qwen_ui.engine.stream.streamed_cut import StreamedCut
from qwen_ui.formats import short_bytes
from qwen_ui.freeze import Selection
from qwen_ui.freeze.cost import streamed_parameters
from qwen_ui.model import input_embedding
from qwen_ui.model.libraries import PreTrainedModel
from qwen_ui.model.weights import PiecewiseModel
from qwen_ui.runs import PhaseName, Tell

# Frozen blocks up to this size are all loaded for as long as a sample takes.
SAMPLED_BYTES = 256 * 1024**2

if TYPE_CHECKING:
    from qwen_ui.engine.forward import Trainee
    from qwen_ui.engine.loop import Caches, FillCaches, Loop


def cut_without_prefix(
    folder: Path, selection: Selection, dtype: torch.dtype, device: torch.device
) -> tuple[PreTrainedModel, StreamedCut]:
    """The model with all its weights but those of the frozen blocks below, cut there.

    The input embedding is one of them where it is frozen and no other tensor.

    Raises:
        StreamError: nothing is frozen below, or what is changes from step to step.
        ModelError: the files do not hold this model.
    """
    anatomy, depth = selection.anatomy, selection.prefix_blocks
    if not depth:
        raise StreamError(
            "This plan freezes no block below the first one that trains, so there is nothing to "
            "read once and drop. Set prefix to keep, or train blocks further up."
        )
    pieces = PiecewiseModel(folder, anatomy, dtype, device)
    if drops_below(pieces.model, block_list(pieces.model, anatomy), depth):
        raise StreamError(
            "The frozen blocks use dropout in training, so their outputs change from step to step "
            "and cannot be computed once. Set the dropout in the model's configuration to 0, or "
            "set prefix to keep."
        )
    entry = _entry(pieces, selection)
    threaded = device.type == "cuda"
    return pieces.model, StreamedCut(pieces, anatomy, depth, entry, threaded=threaded)


def _entry(pieces: PiecewiseModel, selection: Selection) -> tuple[str, ...]:
    """The stored name of the input embedding, where it is read and dropped with the blocks."""
    table = input_embedding(selection.anatomy)
    if table is None or table not in streamed_parameters(selection):
        return ()
    module = table.name.rpartition(".")[0]
    is_input = pieces.model.get_submodule(module) is pieces.model.get_input_embeddings()
    return pieces.inside(module) if is_input else ()


def streams(trainee: Trainee) -> bool:
    """Whether this trainee's frozen blocks are read one by one."""
    return trainee.cut is not None and not trainee.cut.holds_prefix


def forget(trainee: Trainee) -> None:
    """Let go of what was foreseen for the proofs."""
    if isinstance(trainee.cut, StreamedCut):
        trainee.cut.forget()


def can_sample(trainee: Trainee) -> bool:
    """Whether the whole model may be in memory while it writes a sample."""
    return trainee.cut is None or sum(trainee.cut.block_bytes) <= SAMPLED_BYTES


def samples_note(trainee: Trainee) -> str:
    """That no samples are written, and why; "" where they are."""
    if trainee.cut is None or can_sample(trainee):
        return ""
    more = short_bytes(sum(trainee.cut.block_bytes))
    return (
        f"No samples are written: that takes the whole model, {more} "
        "more than is held while it trains. The merged model writes them (`apply`)."
    )


@dataclass(frozen=True, slots=True)
class Passed:
    """A pass of all that a run reads through all its frozen blocks: its tokens, its seconds."""

    tokens: int
    seconds: float


def cache_filler(budget: int, tell: Tell, noted: Callable[[Passed], None]) -> FillCaches:
    """Fills the caches of a run's loop by one pass over the frozen blocks.

    Args:
        budget: bytes that the outputs may take.
        tell: told how far it is.
        noted: told of a pass that was not begun before, by a process that runs all of it.
    """

    def fill(loop: Loop, caches: Caches, width: int, dtype: torch.dtype) -> None:
        readings = _readings(loop, caches)
        loop.group.together(lambda: refuse_beyond_budget(readings, width, dtype, budget))
        cut, trainee = loop.trainee.cut, loop.trainee
        assert isinstance(cut, StreamedCut), type(cut)
        work, began = _Work(tell), time.monotonic()
        with trainee.autocast():
            passing = PrefixPass(cut, loop.collated, trainee.inputs, loop.group, work)
            passing.run(readings, width, dtype)
        if work.whole and loop.group.world_size == 1:
            noted(Passed(sum(map(_tokens, readings)), time.monotonic() - began))
        # Training holds more than the pass, and nothing of what the pass let go of.
        return_large_pieces()

    return fill


class _Work:
    """Hands on how far a pass is, and knows whether all of it was work: nothing was found done."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._done, self._skipped, self._total = tell, 0, 0, 0

    def __call__(self, phase: PhaseName, done: int = 0, total: int = 0) -> None:
        self._skipped += max(0, done - self._done - 1)
        self._done, self._total = done, total
        self._tell(phase, done, total)

    @property
    def whole(self) -> bool:
        return self._done == self._total > 0 and not self._skipped


def _tokens(reading: Reading) -> int:
    """Of its batches, padding included."""
    items = reading.examples.items
    return sum(len(b) * max(len(items[index].tokens) for index in b) for b in reading.batches)


def _readings(loop: Loop, caches: Caches) -> list[Reading]:
    """What this process takes through the blocks: what it would compute itself, each once."""
    training, *judged = caches
    first = covering(loop.first_batches(), loop.training)
    kinds = [(loop.training, first, training, True)]
    for (examples, batches), cache in zip(loop.judged_batches(), judged, strict=False):
        kinds.append((examples, batches, cache, False))
    readings = []
    for examples, batches, held, trains in kinds:
        assert held is not None, "blocks that are read one by one need a cache"
        readings.append(Reading(examples, batches, held, trains))
    return readings
