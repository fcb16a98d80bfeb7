"""What the proofs before the first step will ask of the frozen blocks, asked in one reading."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from qwen_ui.data import Batch
from qwen_ui.engine.causal_proof import start_of
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.mask_proof import padded_inputs
from qwen_ui.engine.packing_proof import PackedPair
from qwen_ui.engine.prefix_proof import (
    asked_of_prefix,
    difference,
    first_tokens,
    rounding,
    why_not_apart,
)
from qwen_ui.engine.stream.passengers import Influence
from qwen_ui.engine.stream.streamed_cut import StreamedCut

_HELD = (
    "The input embedding stays in memory: in this model more than the first block is made from it."
)


def foresee(
    trainee: Trainee, batch: Batch, short: Batch, pad: int, packed: PackedPair | None
) -> str:
    """Have the answers ready; what is not foreseen here is asked by a reading of its own.

    It is taken that padding needs no mask, where that can be proven at all: in a model that needs
    one, `foresee_masked` has to follow.

    Args:
        trainee: in evaluation mode, its blocks read one by one.
        batch: the first of the run.
        short: the one on which the loss is proven.
        pad: token that fills up short sequences.
        packed: on which packing is proven, where samples are packed.

    Returns:
        What has to be in memory beside what was meant to, in a sentence; "" where nothing has.

    Raises:
        StreamError: the frozen blocks cannot be run apart from each other.
    """
    padded = padded_inputs(batch, pad)
    inputs = {**batch.inputs, "attention_mask": None} if padded else batch.inputs
    runs = [*asked_of_prefix(inputs), *((one, False) for one in (*padded, short.inputs))]
    asked = [start_of(batch)]
    if packed is not None:
        runs += [(one, False) for one in packed.asked]
        asked.append((packed.single, packed.second))
    return _read(trainee, inputs, runs, asked)


def foresee_masked(trainee: Trainee, batch: Batch) -> None:
    """Have the answers ready of a model in which padding needs its mask.

    Raises:
        StreamError: as `foresee`.
    """
    _read(trainee, batch.inputs, asked_of_prefix(batch.inputs), [])


def _read(
    trainee: Trainee,
    inputs: dict[str, Any],
    runs: Iterable[tuple[dict[str, Any], bool]],
    asked: Iterable[tuple[Batch, slice]],
) -> str:
    cut, few = trainee.cut, first_tokens(inputs)
    assert isinstance(cut, StreamedCut), type(cut)
    wanted, looked_at = list(runs), [(one.inputs, states) for one, states in asked]

    def read() -> None:
        influences = [Influence(one, states) for one, states in looked_at]
        with trainee.autocast(), torch.no_grad():
            cut.foresee(wanted, influences, (few, lambda: trainee.states(few)))

    try:
        read()
        said = ""
        if (whole_BTH := _whole(trainee, few)) is None:
            return said
        if not _agrees(trainee, few, whole_BTH) and cut.hold_embedding():
            cut.forget()
            read()
            said = _HELD
        with torch.no_grad():
            # The blocks above may want more of those below than their outputs (shared keys).
            trainee.states(few, trainee.run_prefix(few))
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        # The model's own code between stand-ins may raise anything.
        trainee.go_uncut(why_not_apart(error))
        raise
    return said


def _whole(trainee: Trainee, few: dict[str, Any]) -> torch.Tensor | None:
    """The states that the whole model gives; None where it does not run without a mask."""
    assert trainee.cut is not None
    try:
        states_BTH, _ = trainee.cut.reference(few, lambda: trainee.states(few))
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception:
        if few["attention_mask"] is not None:
            raise
        # The proof of masks finds the same, and what is to be known is asked with one.
        return None
    return states_BTH


def _agrees(trainee: Trainee, few: dict[str, Any], whole_BTH: torch.Tensor) -> bool:
    """Whether the blocks apart from each other give the states that the whole model gives."""
    try:
        with torch.no_grad():
            apart_BTH = trainee.states(few, trainee.run_prefix(few))
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception:
        # With the embedding it may run: that is tried next, and says what it raises.
        return False
    return difference(apart_BTH, whole_BTH) <= rounding(trainee, whole_BTH)
