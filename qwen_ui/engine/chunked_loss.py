"""The loss at the positions that carry it, in chunks, with its gradients computed on the way.

Logits of a whole batch are never held at once. Gradients are exact: the softmax less the one-hot
target, times the head, is written over the logits of its chunk, so that backward needs no logits
and a frozen head costs no gradient of its own. Shapes: N positions, H wide, V words.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch._subclasses import FakeTensor
from torch.autograd import Function
from torch.nn import functional as F

# Rows of logits held at a time. At 512 a chunk costs 1.0 to 1.3 times its matrix products on a CPU;
# 32 rows took twice as long (docs/decisions/engine.md).
CHUNK_ROWS = 512

# Logits narrower than float32 are converted so many at a time.
CONVERTED = 2**22

# Below this a float32 softmax loses digits on its way to 0 (the smallest normal one is 1.2e-38).
SMALLEST_LIKELIHOOD = 1e-30


def head_loss(hidden_NH: torch.Tensor, head: nn.Module, targets_N: torch.Tensor) -> torch.Tensor:
    """Sum over positions of the negative log-likelihood, in float32 (nats).

    Args:
        hidden_NH: hidden states at the positions whose next token is a target.
        head: a linear layer onto the vocabulary.
        targets_N: those next tokens.
    """
    weight_VH, bias_V = _cast_head(hidden_NH, head)
    if torch.is_autocast_enabled(hidden_NH.device.type):
        hidden_NH = hidden_NH.to(weight_VH.dtype)
    with torch.autocast(hidden_NH.device.type, enabled=False):
        if (fused := fused_loss(hidden_NH.device)) is not None:
            return fused(hidden_NH, weight_VH, targets_N, bias=bias_V, reduction="sum").float()
        loss: torch.Tensor = _HeadLoss.apply(hidden_NH, weight_VH, bias_V, targets_N)
        return loss


@torch.no_grad()
def head_losses(hidden_NH: torch.Tensor, head: nn.Module, targets_N: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of each target (N, float32, nats), without a graph."""
    weight_VH, bias_V = _cast_head(hidden_NH, head)
    if torch.is_autocast_enabled(hidden_NH.device.type):
        hidden_NH = hidden_NH.to(weight_VH.dtype)
    with torch.autocast(hidden_NH.device.type, enabled=False):
        parts = [
            _chunk(
                hidden_NH, weight_VH, bias_V, targets_N, slice(at, at + CHUNK_ROWS), _NO_GRADIENTS
            )
            for at in range(0, len(hidden_NH), CHUNK_ROWS)
        ]
    return torch.cat(parts) if parts else hidden_NH.new_zeros(0, dtype=torch.float32)


def _cast_head(
    hidden_NH: torch.Tensor, head: nn.Module
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The head's weight (V, H) and bias (V), as autocast would cast them in a linear layer.

    What is computed here casts for itself: products into a given place (`out=`) are refused under
    autocast.
    """
    weight_VH: torch.Tensor = head.weight  # type: ignore[assignment]
    bias_V: torch.Tensor | None = getattr(head, "bias", None)
    device = hidden_NH.device.type
    if not torch.is_autocast_enabled(device):
        return weight_VH, bias_V
    dtype = torch.get_autocast_dtype(device)
    return weight_VH.to(dtype), None if bias_V is None else bias_V.to(dtype)


def fused_loss(device: torch.device) -> Callable[..., torch.Tensor] | None:
    """Liger's fused head and loss, on CUDA where it is installed; None elsewhere.

    It is verified on the first batch as every shortcut is (`verify`).
    """
    if device.type != "cuda" or importlib.util.find_spec("liger_kernel") is None:
        return None
    functional = importlib.import_module("liger_kernel.transformers.functional")
    fused: Callable[..., torch.Tensor] = functional.liger_fused_linear_cross_entropy
    return fused


class _HeadLoss(Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_NH: torch.Tensor,
        weight_VH: torch.Tensor,
        bias_V: torch.Tensor | None,
        targets_N: torch.Tensor,
    ) -> torch.Tensor:
        wants_hidden, wants_weight, wants_bias, _ = ctx.needs_input_grad
        grads = _Gradients(
            torch.empty_like(hidden_NH) if wants_hidden else None,
            torch.zeros_like(weight_VH, dtype=torch.float32) if wants_weight else None,
            torch.zeros_like(bias_V, dtype=torch.float32)
            if bias_V is not None and wants_bias
            else None,
        )
        total = hidden_NH.new_zeros((), dtype=torch.float32)
        for start in range(0, len(hidden_NH), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            total += _chunk(hidden_NH, weight_VH, bias_V, targets_N, rows, grads).sum()
        ctx.grads, ctx.dtypes = grads, (weight_VH.dtype, None if bias_V is None else bias_V.dtype)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        scale, grads = upstream[0], ctx.grads
        hidden = None if grads.hidden is None else grads.hidden.mul_(scale.to(grads.hidden.dtype))
        weight = None if grads.weight is None else grads.weight.mul_(scale).to(ctx.dtypes[0])
        bias = None if grads.bias is None else grads.bias.mul_(scale).to(ctx.dtypes[1])
        ctx.grads = None
        return hidden, weight, bias, None


class _Gradients:
    """Gradients of the sum, filled chunk by chunk; None for what is not wanted."""

    def __init__(
        self,
        hidden: torch.Tensor | None,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
    ) -> None:
        self.hidden, self.weight, self.bias = hidden, weight, bias

    @property
    def wanted(self) -> bool:
        return not (self.hidden is None and self.weight is None and self.bias is None)


_NO_GRADIENTS = _Gradients(None, None, None)


def _chunk(
    hidden_NH: torch.Tensor,
    weight_VH: torch.Tensor,
    bias_V: torch.Tensor | None,
    targets_N: torch.Tensor,
    rows: slice,
    grads: _Gradients,
) -> torch.Tensor:
    """The losses of one chunk of rows; the gradients of their sum go to `grads`."""
    hidden, targets = hidden_NH[rows], targets_N[rows, None]
    logits = F.linear(hidden, weight_VH, bias_V)
    likelihood = _logits_to_gradient(logits, targets, grads)
    if grads.hidden is not None:
        torch.mm(logits, weight_VH.to(logits.dtype), out=grads.hidden[rows])
    if grads.weight is not None:
        _add_product(grads.weight, logits, hidden)
    return _negative_log_likelihood(likelihood, hidden, weight_VH, bias_V, targets)


def _logits_to_gradient(
    logits_NV: torch.Tensor, targets_N1: torch.Tensor, grads: _Gradients
) -> torch.Tensor:
    """Overwrite logits with their gradient; return the targets' likelihoods (N) in float32.

    At a wide vocabulary a further pass over the logits costs half a softmax, so there is none that
    finds the highest. Narrow logits go through one float32 buffer, some rows at a time: freed and
    asked for again, it would be another piece of memory each time (glibc, aligned).
    """
    if logits_NV.dtype == torch.float32:
        return _softmax(logits_NV, targets_N1, grads)
    size = CONVERTED // logits_NV.shape[1] + 1
    buffer = logits_NV.new_empty(
        (min(size, len(logits_NV)), logits_NV.shape[1]), dtype=torch.float32
    )
    likelihoods = []
    for part, targets in zip(logits_NV.split(size), targets_N1.split(size), strict=True):
        wide = buffer[: len(part)].copy_(part)
        likelihoods.append(_softmax(wide, targets, grads))
        if grads.wanted:
            part.copy_(wide)
    return torch.cat(likelihoods)


def _softmax(logits_NV: torch.Tensor, targets_N1: torch.Tensor, grads: _Gradients) -> torch.Tensor:
    """As `_logits_to_gradient`, for logits in float32."""
    probabilities = torch.softmax(logits_NV, dim=-1, out=logits_NV)
    likelihood = probabilities.gather(1, targets_N1).squeeze(1)
    if grads.wanted:
        minus_one = probabilities.new_full((), -1.0)
        gradient = probabilities.scatter_add_(1, targets_N1, minus_one.expand_as(targets_N1))
        if grads.bias is not None:
            grads.bias += gradient.sum(0)
    return likelihood


def _negative_log_likelihood(
    likelihood_N: torch.Tensor,
    hidden_NH: torch.Tensor,
    weight_VH: torch.Tensor,
    bias_V: torch.Tensor | None,
    targets_N1: torch.Tensor,
) -> torch.Tensor:
    """-log of these likelihoods (N), from the logits again where one underflows in float32."""
    loss_N = -likelihood_N.log()
    # The cost of a step is traced through here with tensors that have no values.
    if isinstance(likelihood_N, FakeTensor):
        return loss_N
    underflowed = likelihood_N < SMALLEST_LIKELIHOOD
    if not bool(underflowed.any()):
        return loss_N
    logits = F.linear(hidden_NH[underflowed], weight_VH, bias_V).float()
    loss_N[underflowed] = F.cross_entropy(logits, targets_N1[underflowed, 0], reduction="none")
    return loss_N


def _add_product(
    total_VH: torch.Tensor, gradient_NV: torch.Tensor, hidden_NH: torch.Tensor
) -> None:
    if gradient_NV.dtype == torch.float32:
        total_VH.addmm_(gradient_NV.t(), hidden_NH)
    else:
        total_VH += gradient_NV.t() @ hidden_NH
