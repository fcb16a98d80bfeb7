"""Rows of a stored tensor, read from an open file and written to one, without mapping it.

A mapped file counts as memory, whole, where a limit on addresses holds.
"""

from __future__ import annotations

import math
from typing import Any, BinaryIO

import torch

from qwen_ui.model.weights.headers import StoredTensor


def read_tensor(stored: StoredTensor) -> torch.Tensor:
    """A whole tensor as it is stored, read from its file.

    Raises:
        OSError: the file is cut off.
    """
    with stored.file.open("rb") as file:
        return read_rows(file, stored, slice(0, stored.shape[0] if stored.shape else 1))


def read_rows(file: BinaryIO, stored: StoredTensor, rows: slice) -> torch.Tensor:
    """Rows of a tensor as they are stored; a tensor without dimensions is one row, given whole.

    Args:
        file: one with this tensor at its place: its own, or a copy.
        rows: from `start` up to `stop` of its first dimension.

    Raises:
        OSError: the file is cut off.
    """
    dtype: torch.dtype = getattr(torch, stored.dtype)
    shape = (rows.stop - rows.start, *stored.shape[1:]) if stored.shape else ()
    values = torch.empty(shape, dtype=dtype)
    if not values.numel():
        return values
    file.seek(_place(stored, rows, dtype))
    if file.readinto(_bytes(values)) != values.nbytes:  # type: ignore[attr-defined]
        raise OSError(f"'{stored.file}' is cut off in '{stored.name}'.")
    return values


def write_rows(file: BinaryIO, stored: StoredTensor, rows: slice, values: torch.Tensor) -> None:
    """Write rows, contiguous and of the stored dtype, over those that the file has."""
    if values.numel():
        file.seek(_place(stored, rows, values.dtype))
        file.write(_bytes(values))


def _place(stored: StoredTensor, rows: slice, dtype: torch.dtype) -> int:
    start: int = rows.start if stored.shape else 0
    return stored.start + start * math.prod(stored.shape[1:]) * dtype.itemsize


def _bytes(values: torch.Tensor) -> memoryview:
    flat = values.view(-1) if values.dim() else values.view(1)
    octets: Any = flat.view(torch.uint8).numpy()
    return memoryview(octets)
