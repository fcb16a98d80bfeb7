"""How far the trained weights have moved from where they began, block by block."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch

from qwen_ui.engine.lora import weight_changes
from qwen_ui.freeze import Selection

# Copies of the initial weights are held up to this size; above it no movement is measured.
MAX_ORIGIN_BYTES = 1024**3


class Movement:
    """Measures the norm of what training changed.

    Args:
        trained: the trained tensors as they begin.
        selection: what trains; says which block a tensor belongs to.
        lora: whether `trained` are adapters, whose product is the change.
    """

    def __init__(
        self, trained: dict[str, torch.Tensor], selection: Selection, *, lora: bool
    ) -> None:
        size = sum(tensor.numel() * tensor.element_size() for tensor in trained.values())
        self.measured = size <= MAX_ORIGIN_BYTES
        self._origin = {n: t.clone() for n, t in trained.items()} if self.measured else {}
        self._by_name, self._lora = selection.anatomy.by_name, lora

    def by_block(self, trained: dict[str, torch.Tensor]) -> list[tuple[int, float]]:
        """(block, Frobenius norm of the change of its trained tensors), by block."""
        changes = [(self._by_name[name].block, t) for name, t in self._changes(trained)]
        inside = [(block, change) for block, change in changes if block is not None]
        if not inside:
            return []
        # Asked once: a GPU answers each question only after all that it was told before.
        norms = torch.stack([torch.linalg.vector_norm(change) for _, change in inside]).tolist()
        squares: dict[int, float] = {}
        for (block, _), norm in zip(inside, norms, strict=True):
            squares[block] = squares.get(block, 0.0) + norm * norm
        return [(block, math.sqrt(total)) for block, total in sorted(squares.items())]

    def _changes(self, trained: dict[str, torch.Tensor]) -> Iterable[tuple[str, torch.Tensor]]:
        if self._lora:  # B is 0 to begin with: what the adapters add now is the change
            return weight_changes(trained).items()
        return ((name, trained[name] - origin) for name, origin in self._origin.items())
