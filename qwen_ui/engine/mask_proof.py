"""Prove that padding on the right needs no mask: a causal model does not look that way.

Without one, attention takes its fastest kernels, copies no key-value heads for the query heads that
share them, and a GPU plans nothing anew for another length. A model whose states depend on the
mask in another way keeps it.
"""

from __future__ import annotations

from collections.abc import Callable

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
    row_1T = batch.tokens_BT[:1, :TOKENS]
    real = row_1T.shape[1] // 2
    if batch.positions_BT is not None or real == 0:
        return False
    padded_BT = row_1T.repeat(2, 1)
    mask_BT = torch.ones_like(padded_BT)
    padded_BT[1, real:], mask_BT[1, real:] = pad, 0
    exchanged_BT = padded_BT.clone()
    exchanged_BT[1, real:] = row_1T[0, real:].flip(0)

    def states(tokens_BT: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        inputs = {"input_ids": tokens_BT, "attention_mask": mask, "use_cache": False}
        return trainee.states(inputs)[1, :real]

    with torch.no_grad():
        masked = states(padded_BT, mask_BT)
        bare = _unless_raised(lambda: states(padded_BT, None))
        other = _unless_raised(lambda: states(exchanged_BT, None))
    if bare is None or other is None:
        return False
    return difference(other, bare) <= rounding(trainee, bare) and difference(
        bare, masked
    ) <= rounding(trainee, masked, TOLERANCES)


def _unless_raised(run: Callable[[], torch.Tensor]) -> torch.Tensor | None:
    try:
        return run()
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception:
        # With a mask the same model just ran: its own code wants one, so it is given one.
        return None
