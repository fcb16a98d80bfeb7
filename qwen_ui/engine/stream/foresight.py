"""What the proofs before the first step will ask of the frozen blocks, asked in one reading."""

from __future__ import annotations

from typing import Any

import torch

from qwen_ui.data import Batch
from qwen_ui.engine.causal_proof import start_of
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.mask_proof import padded_inputs
from qwen_ui.engine.prefix_proof import asked_of_prefix, why_not_apart
from qwen_ui.engine.stream.passengers import Influence
from qwen_ui.engine.stream.streamed_cut import StreamedCut


def foresee(trainee: Trainee, batch: Batch, short: Batch, pad: int) -> None:
    """Have the answers ready; what is not foreseen here is asked by a reading of its own.

    Args:
        trainee: in evaluation mode, its blocks read one by one.
        batch: the first of the run.
        short: the one on which the loss is proven.
        pad: token that fills up short sequences.

    Raises:
        StreamError: the frozen blocks cannot be run apart from each other.
    """
    cut = trainee.cut
    assert isinstance(cut, StreamedCut), type(cut)
    variants: list[dict[str, Any]] = [batch.inputs]
    if batch.mask_BT is not None:
        variants.append({**batch.inputs, "attention_mask": None})
    runs = [asked for inputs in variants for asked in asked_of_prefix(inputs)]
    runs += [(inputs, False) for inputs in (*padded_inputs(batch, pad), short.inputs)]
    single, half = start_of(batch)
    influences = [Influence(single.inputs, slice(None, half))] if half else []
    try:
        with trainee.autocast():
            cut.foresee(runs, influences)
        with torch.no_grad():
            # The blocks above may want more of those below than their outputs (shared keys).
            trainee.states(runs[0][0])
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        # The model's own code between stand-ins may raise anything.
        trainee.go_uncut(why_not_apart(error))
