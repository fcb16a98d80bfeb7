"""Which tokens the states of others depend on, by derivatives.

A masked attention weight is a zero in every dtype, and so is the derivative through it: a leak is
not hidden in a tolerance, as it is in a difference of losses.
"""

from __future__ import annotations

from typing import Any

import torch

from qwen_ui.data import Batch
from qwen_ui.engine.forward import Trainee


def influence(trainee: Trainee, batch: Batch, states: slice) -> torch.Tensor | None:
    """Whether the states at these positions depend on the embedding of each token.

    Args:
        trainee: in evaluation mode.
        states: positions of the sequences.

    Returns:
        (B, T) booleans; None where the model cannot be differentiated.
    """
    leaves: list[torch.Tensor] = []

    def leaf(_module: Any, _given: Any, embedded: torch.Tensor) -> torch.Tensor:
        leaves.append(embedded.detach().requires_grad_())
        return leaves[-1].clone()  # a model may write to its embeddings in place

    handle = trainee.model.get_input_embeddings().register_forward_hook(leaf)
    try:
        found = trainee.states(batch.inputs)[:, states]
    finally:
        handle.remove()
    if not leaves or not found.requires_grad:
        return None
    # By random numbers: the sum of a normalised state is the same for every state.
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(found.shape, generator=generator).to(found)
    gradient = torch.autograd.grad(found, leaves[0], direction, allow_unused=True)[0]
    return None if gradient is None else (gradient != 0).any(-1)
