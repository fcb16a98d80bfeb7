"""Weights on disk: do they fit the architecture, and what are their values like?

Statistics are streamed, a chunk of a tensor at a time: no model and no whole tensor is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from qwen_ui.errors import ModelError
from qwen_ui.model.anatomy import Anatomy
from qwen_ui.model.safetensors_headers import StoredTensor, StoredWeights, read_weights

CHUNK = 8 * 1024 * 1024
# Singular values take cubic time; beyond this the answer would be long in coming.
MAX_SPECTRUM_SIDE = 4096


@dataclass(frozen=True, slots=True)
class WeightsCheck:
    """Weights against the architecture. All empty: they fit.

    Attributes:
        missing: names of the architecture that the files do not have (of a tie, one suffices).
        unexpected: names in the files that the architecture does not have.
        mismatched: "name: shape in the file, shape in the architecture".
        dtypes: "name: dtype in the file, dtype in the architecture"; harmless, they are converted.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]
    dtypes: tuple[str, ...]

    @property
    def fits(self) -> bool:
        return not (self.missing or self.unexpected or self.mismatched)

    @property
    def sentence(self) -> str:
        """What was found, in one line."""
        if self.fits:
            note = f"; {len(self.dtypes)} of another dtype" if self.dtypes else ""
            return f"Every name and shape of the weights fits the architecture{note}."
        parts = [
            f"{len(names)} {what} (`{names[0]}`)"
            for what, names in (
                ("missing", self.missing),
                ("unexpected", self.unexpected),
                ("of another shape", self.mismatched),
            )
            if names
        ]
        return "The weights do not fit the architecture: " + ", ".join(parts) + "."


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the values of a tensor are like; NaN and infinite ones are counted and left out.

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


def check_weights(anatomy: Anatomy, weights: StoredWeights) -> WeightsCheck:
    """Names, shapes and dtypes of the files against the architecture's."""
    missing, mismatched, dtypes = [], [], []
    for parameter in anatomy.parameters:
        stored = [weights.tensors[name] for name in parameter.names if name in weights.tensors]
        if not stored:
            missing.append(parameter.name)
        for tensor in stored:
            if tensor.shape != parameter.shape:
                mismatched.append(
                    f"{tensor.name}: {list(tensor.shape)} in the file, "
                    f"{list(parameter.shape)} in the architecture"
                )
            elif tensor.dtype != parameter.dtype:
                dtypes.append(f"{tensor.name}: {tensor.dtype}, {parameter.dtype}")
    unexpected = sorted(weights.tensors.keys() - anatomy.by_name.keys())
    return WeightsCheck(tuple(missing), tuple(unexpected), tuple(mismatched), tuple(dtypes))


def weights_of(anatomy: Anatomy) -> StoredWeights:
    """The weights at hand for a model, from their headers.

    Raises:
        ModelError: there are none, or they cannot be read.
    """
    if anatomy.weights_folder is None:
        raise ModelError(
            f"No weights of '{anatomy.source}' are at hand. Name a folder that has them."
        )
    return read_weights(anatomy.weights_folder)


def statistics(tensor: StoredTensor) -> Statistics:
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
        ModelError: it is no matrix, or larger than `MAX_SPECTRUM_SIDE` on its smaller side.
    """
    if len(tensor.shape) != 2:
        raise ModelError(f"'{tensor.name}' is no matrix: singular values need two dimensions.")
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
