"""Prove that padding on the right needs no mask: a causal model does not look that way.

Without one, attention takes its fastest kernels, copies no key-value heads for the query heads that
share them, and a GPU plans nothing anew for another length. A model whose states depend on the
mask in another way keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from qwen_ui.data import Batch
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.prefix_proof import difference, rounding

TOKENS = 64
# Largest norm of the difference that a mask makes, as a share of the norm, that is rounding: with
# and without one, other kernels add up the same numbers.
TOLERANCES = {torch.float32: 1e-5, torch.bfloat16: 5e-2}


def prove_maskless(trainee: Trainee, batch: Batch, pad: int) -> bool:
    """Whether the states at real tokens are the same without a mask, whatever the padding is.

    Args:
        trainee: in evaluation mode.
        batch: any of the run; the start of its first sequence is looked at, whole and padded.
        pad: token that fills up short sequences.
    """
    asked = padded_inputs(batch, pad)
    if not asked:
        return False
    real = asked[0]["input_ids"].shape[1] // 2

    with torch.no_grad():
        masked = trainee.states(asked[0])[1, :real]
        unmasked = _unless_raised(lambda: trainee.states(asked[1])[:, :real])
    if unmasked is None:
        return False
    bare, other = unmasked
    return difference(other, bare) <= rounding(trainee, bare) and difference(
        bare, masked
    ) <= rounding(trainee, masked, TOLERANCES)


def padded_inputs(batch: Batch, pad: int) -> list[dict[str, Any]]:
    """Arguments of the model's forward for a sequence half of which is padding.

    With a mask, beside the whole sequence; and without one, beside the same with other padding.
    [] where nothing can be shown.
    """
    row_1T = batch.tokens_BT[:1, :TOKENS]
    real = row_1T.shape[1] // 2
    if batch.positions_BT is not None or real == 0:
        return []
    padded_BT = row_1T.repeat(2, 1)
    mask_BT = torch.ones_like(padded_BT)
    padded_BT[1, real:], mask_BT[1, real:] = pad, 0
    exchanged_BT = padded_BT[1:].repeat(2, 1)
    exchanged_BT[1, real:] = row_1T[0, real:].flip(0)
    return [
        {"input_ids": tokens_BT, "attention_mask": mask, "use_cache": False}
        for tokens_BT, mask in ((padded_BT, mask_BT), (exchanged_BT, None))
    ]


def _unless_raised(run: Callable[[], torch.Tensor]) -> torch.Tensor | None:
    try:
        return run()
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception:
        # With a mask the same model just ran: its own code wants one, so it is given one.
        return None
