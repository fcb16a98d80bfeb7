"""Prove that a model's logits are what its head gives for the last states, and nothing more.

A model that scales or caps its logits after the head (Gemma, Cohere, Granite) may differ from the
bare head by less than the tolerance of a first batch, and by more as it trains.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.prefix_proof import first_tokens

_WITHOUT = "so the loss is computed from all logits at once."


def prove_head(trainee: Trainee, inputs: dict[str, Any]) -> str:
    """Why the head cannot be computed in chunks, in a sentence; "" where it can.

    Args:
        trainee: in evaluation mode; it has a head.
        inputs: arguments of the model's forward, of any batch.
    """
    assert trainee.head is not None
    few = first_tokens(inputs)
    calls: list[tuple[Any, Any]] = []

    def catch(_head: nn.Module, given: Any, output: Any) -> None:
        calls.append((given[0] if given else None, output))

    with torch.no_grad():
        states_BTH = trainee.states(few)
        handle = trainee.head.register_forward_hook(catch)
        try:
            logits_BTV = trainee.logits(few)
        finally:
            handle.remove()
    if len(calls) != 1:
        return f"The model's head runs {len(calls)} times in a forward pass, {_WITHOUT}"
    given, output = calls[0]
    if not _same(given, states_BTH):
        return f"The model's head is given something else than the last states, {_WITHOUT}"
    if not _same(output, logits_BTV):
        return f"The model changes its logits after the head, {_WITHOUT}"
    return ""


def _same(one: Any, other: torch.Tensor) -> bool:
    """Whether the values are the same to the last bit; the same pass gave both, or an equal one."""
    return torch.is_tensor(one) and one.shape == other.shape and torch.equal(one, other.to(one))
