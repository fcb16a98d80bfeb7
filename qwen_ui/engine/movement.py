"""How far the trained weights have moved from where they began, block by block.

Where they began is what the base's files hold, so above `HELD_BYTES` it is read from there again,
a tensor at a time, instead of being held beside the weights, gradients and moments.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from qwen_ui.engine.lora import WeightChanges
from qwen_ui.freeze import Selection
from qwen_ui.model import Anatomy
from qwen_ui.model.weights import StoredTensor, read_tensor, read_weights, rehearse

# Copies of the initial weights are held up to this size: reading takes longer than a small copy.
HELD_BYTES = 256 * 1024**2
# Files are read at every measurement up to this size; above it none is made.
READ_BYTES = 1024**3


@dataclass(frozen=True, slots=True)
class BaseFiles:
    """Where the weights came from.

    Attributes:
        folder: of the base.
        dtype: in which they were loaded.
    """

    folder: Path
    dtype: torch.dtype


class Movement:
    """Measures the norm of what training changed.

    Args:
        trained: the trained tensors as they begin.
        selection: what trains; says which block a tensor belongs to.
        lora: whether `trained` are adapters, whose product is the change.
        base: the files that hold them as they begin.

    Attributes:
        measured: whether it is: not where too much trains to be held and the files hold it in
            another form (stacked experts), or where even reading it takes too long.
    """

    def __init__(
        self,
        trained: dict[str, torch.Tensor],
        selection: Selection,
        *,
        lora: bool,
        base: BaseFiles,
    ) -> None:
        size = sum(tensor.numel() * tensor.element_size() for tensor in trained.values())
        self._by_name, self._lora, self._base = selection.anatomy.by_name, lora, base
        self._stored: dict[str, StoredTensor] = {}
        self._held: dict[str, torch.Tensor] = {}
        if lora or size <= HELD_BYTES:
            self._held = {} if lora else {name: t.clone() for name, t in trained.items()}
            self.measured = True
            return
        if size <= READ_BYTES:
            places = _places(selection.anatomy, base.folder)
            self._stored = {n: places[n] for n in trained.keys() & places.keys()}
        self.measured = self._stored.keys() == trained.keys() and all(
            torch.equal(self._read(stored, trained[name]), trained[name])
            for name, stored in self._stored.items()
        )

    def by_block(self, trained: dict[str, torch.Tensor]) -> list[tuple[int, float]]:
        """(block, Frobenius norm of the change of its trained tensors), by block."""
        inside = [
            (block, torch.linalg.vector_norm(change))
            for name, change in self._changes(trained)
            if (block := self._by_name[name].block) is not None
        ]
        if not inside:
            return []
        # Asked once: a GPU answers each question only after all that it was told before.
        norms = torch.stack([norm for _, norm in inside]).tolist()
        squares: dict[int, float] = {}
        for (block, _), norm in zip(inside, norms, strict=True):
            squares[block] = squares.get(block, 0.0) + norm * norm
        return [(block, math.sqrt(total)) for block, total in sorted(squares.items())]

    def _changes(self, trained: dict[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
        if self._lora:  # B is 0 to begin with: what the adapters add now is the change
            yield from WeightChanges(trained).items()
            return
        for name, origin in self._held.items():
            yield name, trained[name] - origin
        for name, stored in self._stored.items():
            yield name, self._read(stored, trained[name]).sub_(trained[name])

    def _read(self, stored: StoredTensor, like: torch.Tensor) -> torch.Tensor:
        """The tensor as it was loaded: a new one, of the trained one's dtype, on its device."""
        return read_tensor(stored).to(self._base.dtype).to(like.device, like.dtype)


def _places(anatomy: Anatomy, folder: Path) -> dict[str, StoredTensor]:
    """The stored tensor of every parameter that the files hold as it is, by its first name."""
    weights = read_weights(folder)
    places = rehearse(anatomy.configuration, weights).places
    return {
        parameter.name: weights.tensors[stored]
        for stored, place in places.items()
        if not place.converted and (parameter := anatomy.by_name.get(place.name)) is not None
    }
