"""Whether values depend on others at all: an exactly zero derivative hides in no rounding."""

from __future__ import annotations

import torch


def depends_on(found: torch.Tensor, leaf_BTH: torch.Tensor) -> torch.Tensor | None:
    """Whether these values depend on each vector of a leaf: (B, T) booleans.

    Returns:
        None where the one cannot be differentiated by the other.
    """
    if not found.requires_grad:
        return None
    # By random numbers: the sum of a normalised state is the same for every state.
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(found.shape, generator=generator).to(found)
    gradient = torch.autograd.grad(found, leaf_BTH, direction, allow_unused=True)[0]
    return None if gradient is None else (gradient != 0).any(-1)
