"""Which tokens the states of others depend on, by derivatives.

A masked attention weight is a zero in every dtype, and so is the derivative through it: a leak is
not hidden in a tolerance, as it is in a difference of losses.
"""

from __future__ import annotations

from typing import Any

import torch

from qwen_ui.data import Batch
from qwen_ui.engine.derivative import depends_on
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.stream.streamed_cut import StreamedCut
from qwen_ui.engine.stream.streamed_run import streams


def influence(trainee: Trainee, batch: Batch, states: slice) -> torch.Tensor | None:
    """Whether the states at these positions depend on the embedding of each token.

    Args:
        trainee: in evaluation mode.
        states: positions of the sequences.

    Returns:
        (B, T) booleans; None where the model cannot be differentiated.
    """
    if streams(trainee):
        return _part_by_part(trainee, batch.inputs, states)
    leaves: list[torch.Tensor] = []

    def leaf(_module: Any, _given: Any, embedded: torch.Tensor) -> torch.Tensor:
        leaves.append(embedded.detach().requires_grad_())
        return leaves[-1].clone()  # a model may write to its embeddings in place

    handle = trainee.model.get_input_embeddings().register_forward_hook(leaf)
    try:
        found = trainee.states(batch.inputs)[:, states]
    finally:
        handle.remove()
    return depends_on(found, leaves[0]) if leaves else None


def _part_by_part(trainee: Trainee, inputs: dict[str, Any], states: slice) -> torch.Tensor | None:
    """The same of a model whose blocks are never together: what any part of it looks at.

    Where no part lets these positions look at another one, the whole does not.
    """
    cut = trainee.cut
    assert isinstance(cut, StreamedCut), type(cut)
    with trainee.autocast():
        below_BT = cut.influence(inputs, states)
    leaf_BTH = trainee.run_prefix(inputs).detach().requires_grad_()
    above_BT = depends_on(trainee.states(inputs, leaf_BTH.clone())[:, states], leaf_BTH)
    return None if below_BT is None or above_BT is None else below_BT | above_BT
