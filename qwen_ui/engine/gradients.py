"""All gradients of a step together: their norm, and portions of them that fit beside the rest."""

from __future__ import annotations

import torch
from torch import nn

from qwen_ui.engine.sharding import whole


def total_norm(gradients: list[torch.Tensor | None]) -> torch.Tensor:
    """The norm of all gradients together, added up in float32."""
    present = [gradient for gradient in gradients if gradient is not None]
    assert present, "a backward pass leaves gradients"
    norms = torch._foreach_norm(present, 2, dtype=torch.float32)
    return torch.linalg.vector_norm(torch.stack([whole(norm) for norm in norms]))


def portions_of(
    parameters: dict[str, nn.Parameter], masters: dict[str, nn.Parameter], most: int
) -> list[list[str]]:
    """Names whose gradients stand in float32 together: those that are float32, then the rest."""
    wide = [name for name in parameters if masters[name] is parameters[name]]
    portions, size = [wide, list[str]()], 0
    for name, parameter in parameters.items():
        if masters[name] is parameter:
            continue
        needed = 4 * parameter.numel()
        if portions[-1] and size + needed > most:
            portions.append([])
            size = 0
        portions[-1].append(name)
        size += needed
    return [portion for portion in portions if portion]
