"""The loss at the positions that carry it, in chunks, with its gradients computed on the way.

Logits of a whole batch are never held at once. Gradients are exact: the softmax less the one-hot
target, times the head, is written over the logits of its chunk, so that backward needs no logits
and a frozen head costs no gradient of its own. Shapes: N positions, H wide, V words.

A CPU and a GPU want it otherwise. A CPU takes a softmax in place, of as many rows as stay near its
caches. A GPU takes thousands of rows in few kernels, and must not be asked whether a likelihood
underflowed: each question makes it run dry. Its log-softmax needs no such question. Both ways
stand in this file, with what they share: one is the other's check.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch._subclasses import FakeTensor
from torch.autograd import Function
from torch.nn import functional as F

# Rows of logits held at a time on a CPU. At 512 a chunk costs 1.0 to 1.3 times its matrix products;
# 32 rows took twice as long (docs/decisions/engine.md).
CHUNK_ROWS = 512

# Bytes of logits and of their log-softmax that a GPU holds at a time: 2,304 rows of 152 k words.
CHUNK_BYTES = 2**31
MULTIPLE = 256  # of rows: the sizes that matrix products like

# Logits narrower than float32 are converted so many at a time.
CONVERTED = 2**22

# Below this a float32 softmax loses digits on its way to 0 (the smallest normal one is 1.2e-38).
SMALLEST_LIKELIHOOD = 1e-30


def head_loss(
    hidden_NH: torch.Tensor,
    head: nn.Module,
    targets_N: torch.Tensor,
    *,
    on_gpu: bool | None = None,
) -> torch.Tensor:
    """Sum over positions of the negative log-likelihood, in float32 (nats).

    Args:
        hidden_NH: hidden states at the positions whose next token is a target.
        head: a linear layer onto the vocabulary.
        targets_N: those next tokens; a negative one counts nothing, and its row of `hidden_NH` is
            to be 0.
        on_gpu: whether it is computed in a GPU's way; None: as the device of `hidden_NH` is.
    """
    weight_VH, bias_V = cast_head(hidden_NH, head)
    if torch.is_autocast_enabled(hidden_NH.device.type):
        hidden_NH = hidden_NH.to(weight_VH.dtype)
    on_gpu = hidden_NH.device.type != "cpu" if on_gpu is None else on_gpu
    with torch.autocast(hidden_NH.device.type, enabled=False):
        loss: torch.Tensor = _HeadLoss.apply(hidden_NH, weight_VH, bias_V, targets_N, on_gpu)
        return loss


def gpu_head_loss(
    hidden_NH: torch.Tensor, head: nn.Module, targets_N: torch.Tensor
) -> torch.Tensor:
    """As `head_loss` on a GPU, wherever it is computed: for prices."""
    return head_loss(hidden_NH, head, targets_N, on_gpu=True)


@torch.no_grad()
def head_losses(hidden_NH: torch.Tensor, head: nn.Module, targets_N: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of each target (N, float32, nats), without a graph."""
    weight_VH, bias_V = cast_head(hidden_NH, head)
    if torch.is_autocast_enabled(hidden_NH.device.type):
        hidden_NH = hidden_NH.to(weight_VH.dtype)
    on_gpu = hidden_NH.device.type != "cpu"
    with torch.autocast(hidden_NH.device.type, enabled=False):
        parts = [
            _chunk(hidden_NH, weight_VH, bias_V, targets_N, rows, _NO_GRADIENTS, on_gpu)
            for rows in _chunks(hidden_NH, weight_VH, on_gpu)
        ]
    return torch.cat(parts) if parts else hidden_NH.new_zeros(0, dtype=torch.float32)


def _chunks(hidden_NH: torch.Tensor, weight_VH: torch.Tensor, on_gpu: bool) -> list[slice]:
    """The rows that are computed together."""
    size = CHUNK_ROWS
    if on_gpu:
        row_bytes = weight_VH.shape[0] * (hidden_NH.element_size() + 4)
        size = max(MULTIPLE, CHUNK_BYTES // row_bytes // MULTIPLE * MULTIPLE)
    return [slice(at, at + size) for at in range(0, len(hidden_NH), size)]


def cast_head(hidden_NH: torch.Tensor, head: nn.Module) -> tuple[torch.Tensor, torch.Tensor | None]:
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


class _HeadLoss(Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_NH: torch.Tensor,
        weight_VH: torch.Tensor,
        bias_V: torch.Tensor | None,
        targets_N: torch.Tensor,
        on_gpu: bool,
    ) -> torch.Tensor:
        wants_hidden, wants_weight, wants_bias, *_ = ctx.needs_input_grad
        grads = _Gradients(
            torch.empty_like(hidden_NH) if wants_hidden else None,
            torch.zeros_like(weight_VH, dtype=torch.float32) if wants_weight else None,
            torch.zeros_like(bias_V, dtype=torch.float32)
            if bias_V is not None and wants_bias
            else None,
        )
        total = hidden_NH.new_zeros((), dtype=torch.float32)
        for rows in _chunks(hidden_NH, weight_VH, on_gpu):
            total += _chunk(hidden_NH, weight_VH, bias_V, targets_N, rows, grads, on_gpu).sum()
        ctx.grads, ctx.dtypes = grads, (weight_VH.dtype, None if bias_V is None else bias_V.dtype)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        scale, grads = upstream[0], ctx.grads
        hidden = None if grads.hidden is None else grads.hidden.mul_(scale.to(grads.hidden.dtype))
        weight = None if grads.weight is None else grads.weight.mul_(scale).to(ctx.dtypes[0])
        bias = None if grads.bias is None else grads.bias.mul_(scale).to(ctx.dtypes[1])
        ctx.grads = None
        return hidden, weight, bias, None, None


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
    on_gpu: bool,
) -> torch.Tensor:
    """The losses of one chunk of rows; the gradients of their sum go to `grads`."""
    hidden, targets = hidden_NH[rows], targets_N[rows, None]
    logits = F.linear(hidden, weight_VH, bias_V)
    if on_gpu:
        loss_N = _log_softmax(logits, targets, grads)
    else:
        likelihood = _logits_to_gradient(logits, targets, grads)
        loss_N = _negative_log_likelihood(likelihood, hidden, weight_VH, bias_V, targets)
    if grads.hidden is not None:
        torch.mm(logits, weight_VH.to(logits.dtype), out=grads.hidden[rows])
    if grads.weight is not None:
        _add_product(grads.weight, logits, hidden)
    return loss_N


def _log_softmax(
    logits_NV: torch.Tensor, targets_N1: torch.Tensor, grads: _Gradients
) -> torch.Tensor:
    """Overwrite logits with their gradient; return the losses (N) in float32.

    Nothing is asked of the device. Rows without a target lose nothing; theirs of the gradient
    reach the hidden state and the weight through a row of zeros, and the bias not at all.
    """
    counted_N1, targets = targets_N1 >= 0, targets_N1.clamp_min(0)
    logs = torch.log_softmax(logits_NV, dim=-1, dtype=torch.float32)
    likelihood = logs.gather(1, targets)
    if grads.wanted:
        torch.exp(logs, out=logits_NV)
        logits_NV.scatter_(1, targets, torch.expm1(likelihood).to(logits_NV.dtype))
        if grads.bias is not None:
            grads.bias += (counted_N1.float().t() @ logits_NV.float()).squeeze(0)
    return torch.where(counted_N1, -likelihood, 0.0).squeeze(1)


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
