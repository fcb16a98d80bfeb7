"""Statistics of the values in stored weights.

They are streamed, a chunk of a tensor at a time: no model and no whole tensor is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from qwen_ui.errors import ModelError
from qwen_ui.model.weights.headers import StoredTensor

CHUNK = 8 * 1024 * 1024
# Singular values take cubic time; beyond this a person would wait too long.
MAX_SPECTRUM_SIDE = 4096


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of one tensor; NaN and infinite values are counted and left out.

    Attributes:
        zeros: share of zeros, 0 to 1.
        not_finite: how many values are NaN or infinite.
    """

    count: int
    mean: float
    standard_deviation: float
    minimum: float
    maximum: float
    zeros: float
    not_finite: int


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Singular values of a matrix.

    Attributes:
        top: the largest, descending.
        effective_rank: exp of the entropy of the normalised singular values (Roy and Vetterli,
            EUSIPCO 2007): 1 for a rank-one matrix, the smaller side for an orthogonal one.
    """

    top: tuple[float, ...]
    effective_rank: float


def tensor_statistics(tensor: StoredTensor) -> Statistics:
    """Mean, deviation, extremes, zeros and non-finite values of a stored tensor."""
    total = squares = 0.0
    low, high = math.inf, -math.inf
    count = zeros = finite = 0
    for chunk in _chunks(tensor):
        count += chunk.numel()
        zeros += int((chunk == 0).sum())
        good = chunk[torch.isfinite(chunk)]
        if good.numel():
            finite += good.numel()
            total += float(good.sum())
            squares += float((good * good).sum())
            low, high = min(low, float(good.min())), max(high, float(good.max()))
    if not finite:
        return Statistics(count, math.nan, math.nan, math.nan, math.nan, 0.0, count)
    mean = total / finite
    variance = max(squares / finite - mean * mean, 0.0)
    return Statistics(count, mean, math.sqrt(variance), low, high, zeros / count, count - finite)


def spectrum(tensor: StoredTensor, top: int = 8) -> Spectrum:
    """The singular values of a stored matrix.

    Raises:
        ModelError: it is not a matrix, or larger than `MAX_SPECTRUM_SIDE` on its smaller side.
    """
    if len(tensor.shape) != 2:
        raise ModelError(f"'{tensor.name}' is not a matrix: singular values need two dimensions.")
    if min(tensor.shape) > MAX_SPECTRUM_SIDE:
        raise ModelError(f"'{tensor.name}' is too large for singular values (limit 4,096).")
    matrix = torch.cat(list(_chunks(tensor))).reshape(tensor.shape).float()
    if not torch.isfinite(matrix).all():
        raise ModelError(f"'{tensor.name}' holds values that are not finite.")
    values = torch.linalg.svdvals(matrix).double()
    shares = values / values.sum().clamp_min(torch.finfo(torch.float64).tiny)
    entropy = -(shares * shares.clamp_min(1e-300).log()).sum()
    return Spectrum(tuple(values[:top].tolist()), float(entropy.exp()) if values[0] > 0 else 0.0)


def _chunks(tensor: StoredTensor) -> Iterator[torch.Tensor]:
    """The values as float64, a few megabytes of the file at a time."""
    dtype = getattr(torch, tensor.dtype)
    left = tensor.bytes
    with tensor.file.open("rb") as stream:
        stream.seek(tensor.start)
        while left:
            raw = bytearray(stream.read(min(CHUNK, left)))
            if not raw:
                raise ModelError(f"'{tensor.file}' became shorter while it was read.")
            left -= len(raw)
            yield torch.frombuffer(raw, dtype=dtype).double()
