"""Prove that a model predicts each token from those before it alone, before any step.

The loss of a model whose tokens see later ones is not what it looks like: the answer stands in the
input, and padding changes it. PaliGemma attends to its whole text so, and encoders do that are
opened as decoders without `is_decoder`.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from qwen_ui.data import Batch
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.influence import influence
from qwen_ui.errors import ModelError

# Tokens that are looked at: their derivative holds the activations of all blocks.
TOKENS = 32


def check_causal(trainee: Trainee, batch: Batch) -> None:
    """Refuse a model whose states depend on later tokens.

    Args:
        trainee: in evaluation mode.
        batch: any of the run; its first sequence is looked at.

    Raises:
        ModelError: they do.
    """
    single, states = start_of(batch)
    depends_BT = influence(trainee, single, states)
    if depends_BT is not None and depends_BT[:, states.stop :].any():
        raise ModelError(
            f"In this model ({trainee.model.config.model_type}) a token's states depend on later "
            "tokens, so it does not predict them: its loss would be that of copying. Choose a "
            "causal language model; an encoder may become one by `is_decoder` in its config.json."
        )


def start_of(batch: Batch) -> tuple[Batch, slice]:
    """The start of a batch's first sequence, as one sample; the positions that are looked at."""
    tokens_BT = batch.tokens_BT[:1, :TOKENS]
    # Packed samples begin anew within the sequence: what separates them is proven elsewhere.
    single = replace(
        batch, tokens_BT=tokens_BT, mask_BT=torch.ones_like(tokens_BT), positions_BT=None
    )
    # A sequence of one token has none after it.
    return single, slice(None, max(1, tokens_BT.shape[1] // 2))
