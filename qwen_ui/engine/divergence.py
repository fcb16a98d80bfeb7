"""KL(base || tuned) of each token, beside its loss, from the head's input.

With a frozen head, z = W h + b, the base's distribution p over the words enters only through
m = W^T p (as wide as h): the sum over words of p z is m . h + p . b. So with

    a(h) = m . h - logsumexp(W h + b)    the divergence is    KL = a(h_base) - a(h_tuned)

exactly (p . b cancels), for one dot product on top of the loss, and h_tuned = h_base gives exactly
0. Where the head trains, or what comes after it is more than linear, both distributions are
compared as they are.

Everything here is in float32 or wider: rounding to bfloat16 anywhere biases a divergence. Shapes:
N positions, H wide, V words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

# Bytes of float32 logits held at a time, and elements of a narrower head converted at a time.
LOGITS_BYTES = 2**27
CONVERTED = 2**24
MOST_ROWS = 512  # on a CPU more are no faster (docs/decisions/engine.md)


@dataclass(frozen=True, slots=True)
class Anchors:
    """What is kept of the base's distributions at N positions.

    Attributes:
        mean_NH: the head's rows averaged by the base's distribution (float32).
        level_N: `mean . h_base - logsumexp` (float64).
    """

    mean_NH: torch.Tensor
    level_N: torch.Tensor


@dataclass(frozen=True, slots=True)
class Divergences:
    """Figures of N positions, in nats.

    Attributes:
        loss_N: negative log-likelihood of each target (float64).
        kl_N: KL(base || tuned) of each (float64).
    """

    loss_N: torch.Tensor
    kl_N: torch.Tensor


@torch.no_grad()
def anchor(
    hidden_NH: torch.Tensor, head: nn.Module, targets_N: torch.Tensor
) -> tuple[torch.Tensor, Anchors]:
    """The losses of the base (N) and what later divergences from it need.

    Args:
        hidden_NH: what the base's head is given.
        head: a linear layer onto the vocabulary, which never changes.
        targets_N: the next tokens.
    """
    losses, means, levels = [], [], []
    for rows, logits in _logits(hidden_NH, head):
        loss, total = _losses(logits, targets_N[rows])
        likelihoods = logits.sub_(total.to(logits.dtype)[:, None]).exp_()
        mean = _times_head(likelihoods, head)
        losses.append(loss)
        means.append(mean)
        levels.append(_dot(hidden_NH[rows], mean) - total)
    if not losses:
        none = hidden_NH.new_zeros(0, dtype=_widest(hidden_NH))
        return none, Anchors(hidden_NH.new_zeros(hidden_NH.shape, dtype=torch.float32), none)
    return torch.cat(losses), Anchors(torch.cat(means), torch.cat(levels))


@torch.no_grad()
def diverged(
    hidden_NH: torch.Tensor, head: nn.Module, targets_N: torch.Tensor, anchors: Anchors
) -> Divergences:
    """Losses and divergences from the base at the positions that `anchor` was given."""
    losses, divergences = [], []
    for rows, logits in _logits(hidden_NH, head):
        loss, total = _losses(logits, targets_N[rows])
        losses.append(loss)
        level = _dot(hidden_NH[rows], anchors.mean_NH[rows]) - total
        divergences.append(anchors.level_N[rows] - level)
    if not losses:
        none = hidden_NH.new_zeros(0, dtype=_widest(hidden_NH))
        return Divergences(none, none)
    return Divergences(torch.cat(losses), torch.cat(divergences))


@torch.no_grad()
def plainly_diverged(
    base_NV: torch.Tensor, tuned_NV: torch.Tensor, targets_N: torch.Tensor
) -> Divergences:
    """As `diverged`, from both models' logits (float32)."""
    base_NV, tuned_NV = base_NV.log_softmax(-1), tuned_NV.log_softmax(-1)
    loss_N = -tuned_NV.gather(1, targets_N[:, None]).squeeze(1)
    weighted_NV = (base_NV - tuned_NV).mul_(base_NV.exp())
    widest = _widest(tuned_NV)
    return Divergences(loss_N.to(widest), weighted_NV.sum(-1, dtype=widest))


def wide_linear(hidden: torch.Tensor, head: nn.Linear) -> torch.Tensor:
    """What a linear layer gives, in float32 whatever it is held in (autocast is off)."""
    bias = None if head.bias is None else head.bias.float()
    return F.linear(hidden.float(), head.weight.float(), bias)


def _logits(hidden_NH: torch.Tensor, head: nn.Module) -> Iterator[tuple[slice, torch.Tensor]]:
    """The logits in float32, some rows at a time."""
    weight_VH: torch.Tensor = head.weight  # type: ignore[assignment]
    bias_V: torch.Tensor | None = getattr(head, "bias", None)
    size = max(1, min(MOST_ROWS, LOGITS_BYTES // (4 * weight_VH.shape[0])))
    for at in range(0, len(hidden_NH), size):
        rows = slice(at, at + size)
        hidden = hidden_NH[rows].float()
        if weight_VH.dtype == torch.float32:
            logits = hidden @ weight_VH.t()
        else:
            logits = hidden.new_empty(len(hidden), weight_VH.shape[0])
            for words in _words(weight_VH):
                logits[:, words] = hidden @ weight_VH[words].float().t()
        yield rows, logits if bias_V is None else logits.add_(bias_V.float())


def _times_head(likelihoods_NV: torch.Tensor, head: nn.Module) -> torch.Tensor:
    """The head's rows averaged by these distributions (N, H)."""
    weight_VH: torch.Tensor = head.weight  # type: ignore[assignment]
    if weight_VH.dtype == torch.float32:
        return likelihoods_NV @ weight_VH
    mean = likelihoods_NV.new_zeros(len(likelihoods_NV), weight_VH.shape[1])
    for words in _words(weight_VH):
        mean += likelihoods_NV[:, words] @ weight_VH[words].float()
    return mean


def _words(weight_VH: torch.Tensor) -> list[slice]:
    """Words whose rows of the head are converted to float32 together."""
    size = max(1, CONVERTED // weight_VH.shape[1])
    return [slice(at, at + size) for at in range(0, weight_VH.shape[0], size)]


def _losses(logits_NV: torch.Tensor, targets_N: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The targets' losses and the logsumexp of each row.

    Highest logit and sum are added up in float64: together in float32 they are rounded to 1e-6.
    """
    widest = _widest(logits_NV)
    highest_N1 = logits_NV.amax(-1, keepdim=True)
    sums_N = (logits_NV - highest_N1).exp_().sum(-1)
    total_N = highest_N1.squeeze(1).to(widest) + sums_N.to(widest).log()
    said_N = logits_NV.gather(1, targets_N[:, None]).squeeze(1)
    return total_N - said_N.to(widest), total_N


def _dot(hidden_NH: torch.Tensor, mean_NH: torch.Tensor) -> torch.Tensor:
    widest = _widest(mean_NH)
    return (hidden_NH.to(widest) * mean_NH.to(widest)).sum(-1)


def _widest(tensor: torch.Tensor) -> torch.dtype:
    """float64, which MPS does not have."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64
