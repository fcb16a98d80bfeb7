"""A tensor of a checkpoint that is read some rows at a time.

Rows are read into a buffer that is used again, not mapped: a mapped file counts as memory for as
long as it is mapped, and a file that is cut off while it is mapped ends the process (SIGBUS).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from qwen_ui.errors import ModelError
from qwen_ui.model.weights import StoredTensor

# Elements of a piece. In float64 both sides and their difference take 24 bytes an element.
PIECE = 4 * 1024**2


@dataclass(frozen=True)
class Values:
    """A tensor as a matrix of rows (a vector is one row, a stack of matrices lies in one column).

    Attributes:
        shape: of the tensor.
        dtype: torch's name without the prefix.
        read: (first row, rows) to a tensor (rows, columns) that holds until the next is read.
    """

    shape: tuple[int, ...]
    dtype: str
    read: Callable[[int, int], torch.Tensor]

    @property
    def columns(self) -> int:
        return self.shape[-1] if self.shape else 1

    @property
    def rows(self) -> int:
        return math.prod(self.shape[:-1])

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * int(getattr(torch, self.dtype).itemsize)

    def whole(self) -> torch.Tensor:
        """All of it, in its shape and dtype."""
        return self.read(0, self.rows).reshape(self.shape).clone()


class Buffer:
    """Memory that the pieces of one side are read into, one after the other."""

    def __init__(self) -> None:
        self._bytes = torch.empty(0, dtype=torch.uint8)

    def values(self, tensor: StoredTensor) -> Values:
        """A stored tensor, read through this buffer."""
        dtype = getattr(torch, tensor.dtype)
        columns = tensor.shape[-1] if tensor.shape else 1
        width = columns * int(dtype.itemsize)

        def read(first: int, rows: int) -> torch.Tensor:
            held = self._fill(tensor, first * width, rows * width)
            return held.view(dtype).reshape(rows, columns)

        return Values(tensor.shape, tensor.dtype, read)

    def _fill(self, tensor: StoredTensor, start: int, size: int) -> torch.Tensor:
        if self._bytes.numel() < size:
            self._bytes = torch.empty(size, dtype=torch.uint8)
        held = self._bytes[:size]
        view = held.numpy().data
        file = os.open(tensor.file, os.O_RDONLY)
        try:
            done = 0
            while done < size:
                got = os.preadv(file, [view[done:]], tensor.start + start + done)
                if not got:
                    raise ModelError(f"'{tensor.file}' became shorter while it was read.")
                done += got
        finally:
            os.close(file)
        return held


def held_values(tensor: torch.Tensor) -> Values:
    """A tensor that is in memory."""
    flat = tensor.reshape(-1, tensor.shape[-1] if tensor.dim() else 1)
    return Values(
        tuple(tensor.shape),
        str(tensor.dtype).removeprefix("torch."),
        lambda first, rows: flat[first : first + rows],
    )


def pieces(values: Values) -> Iterator[tuple[int, int]]:
    """(first row, rows) of the pieces that a tensor is read in, of about `PIECE` elements."""
    if not math.prod(values.shape):
        return
    step = max(1, PIECE // values.columns)
    for first in range(0, values.rows, step):
        yield first, min(step, values.rows - first)


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two contiguous pieces of one dtype hold the same bits (a NaN equals itself)."""
    a, b = one.flatten().view(torch.uint8).numpy(), other.flatten().view(torch.uint8).numpy()
    if a.size % 8 == 0:  # three times as fast
        a, b = a.view("uint64"), b.view("uint64")
    return bool((a == b).all())


def all_finite(piece: torch.Tensor) -> bool:
    """Whether a piece has no NaN and no infinity: extremes are one where a value is one."""
    if not piece.is_floating_point() or not piece.numel():
        return True
    wide = piece if piece.element_size() > 1 else piece.float()
    return bool(torch.stack(wide.aminmax()).isfinite().all())
