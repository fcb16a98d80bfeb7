"""Prove on the first batch that the shortcuts change nothing; where they do, go without them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from qwen_ui.data import Batch, Example, Examples, collate
from qwen_ui.engine.forward import Trainee
from qwen_ui.engine.sharding import local
from qwen_ui.formats import rounded

# Largest relative difference of the loss, and of the norm of the gradients' difference.
TOLERANCES = {torch.float32: (1e-5, 1e-3), torch.bfloat16: (2e-2, 2e-1)}
# A whole batch of plain logits may not fit into memory; a shorter batch proves as much.
MAX_PROOF_LOGITS = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Proof:
    """The shortcut's loss and gradients against the plain ones, as relative differences.

    Attributes:
        loss: of the loss.
        gradient: norm of the gradients' difference over the norm of the plain gradients.
        passed: both within the tolerance of the dtype.
        error: what the shortcut raised, where it gave no loss at all.
    """

    loss: float
    gradient: float
    passed: bool
    error: str = ""


def proof_batch(examples: Examples, batch: Batch, vocabulary: int, pad: int) -> tuple[Batch, int]:
    """A batch small enough for plain logits, from the start of this one: (batch, its length).

    Causal models give the same for the start of a sequence, whatever follows.
    """
    rows, length = batch.tokens_BT.shape
    if rows * length * vocabulary <= MAX_PROOF_LOGITS:
        return batch, length
    first = examples.items[batch.indexes[0]]
    carrying = first.loss_mask.index(True)
    length = min(len(first.tokens), max(carrying + 1, MAX_PROOF_LOGITS // vocabulary, 2))
    starts = tuple(start for start in first.starts if start < length)
    short = Example(first.tokens[:length], first.loss_mask[:length], first.where, starts)
    return collate(Examples((short,)), (0,), pad), length


def prove(trainee: Trainee, batch: Batch, prefix_BTH: torch.Tensor | None) -> Proof:
    """Compare loss and gradients by the shortcuts with those of the model's own forward."""
    plain_loss, plain = _measure(trainee, trainee(batch, plain=True))
    try:
        loss, gradients = _measure(trainee, trainee(batch, prefix_BTH))
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        # The model just ran without the shortcut; with it, its own code may raise anything.
        trainee.zero_grad()
        said = f"{type(error).__name__}: {error}".strip().splitlines()[0][:200]
        return Proof(float("inf"), float("inf"), passed=False, error=said)
    difference = torch.linalg.vector_norm(gradients - plain)
    relative = float(difference / torch.linalg.vector_norm(plain).clamp_min(1e-20))
    off = abs(loss - plain_loss) / max(abs(plain_loss), 1e-20)
    dtype = next(p.dtype for p in trainee.parameters())
    with trainee.autocast():
        if torch.is_autocast_enabled(batch.tokens_BT.device.type):
            dtype = torch.bfloat16
    most_loss, most_gradient = TOLERANCES.get(dtype, TOLERANCES[torch.bfloat16])
    return Proof(off, relative, off <= most_loss and relative <= most_gradient)


def verify_shortcuts(
    trainee: Trainee,
    batch: Batch,
    prefix_BTH: torch.Tensor | None,
    all_agree: Callable[[bool], bool] = bool,
) -> list[str]:
    """Turn off every shortcut that is not exact; the sentences that say so, none where all are.

    Args:
        trainee: what to verify, and to change.
        batch, prefix_BTH: the first batch and the output of the prefix for it.
        all_agree: whether it passed in all processes, given that it did in this one; they have to
            do alike.
    """
    proof = prove(trainee, batch, prefix_BTH)
    if all_agree(proof.passed):
        return []
    if trainee.maskless:
        trainee.maskless = False
        if all_agree(prove(trainee, batch, prefix_BTH).passed):
            return [_sentence("attention without a mask", proof)]
    chunked = trainee.chunked
    trainee.chunked = False
    if chunked and all_agree(prove(trainee, batch, prefix_BTH).passed):
        return [_sentence("the chunked head", proof)]
    trainee.go_uncut(_sentence("the cached prefix", proof))
    trainee.chunked = chunked
    if chunked and not all_agree(prove(trainee, batch, None).passed):
        trainee.chunked = False
        return [_sentence("the cached prefix and the chunked head", proof)]
    return [_sentence("the cached prefix", proof)]


def _measure(trainee: Trainee, loss: torch.Tensor) -> tuple[float, torch.Tensor]:
    loss.backward()
    flat = []
    for parameter in trainee.parameters():
        if parameter.requires_grad:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            flat.append(local(gradient.detach()).float().flatten())
            parameter.grad = None
    return float(loss.detach()), torch.cat(flat)


def _sentence(shortcut: str, proof: Proof) -> str:
    if proof.error:
        return (
            f"On the first batch {shortcut} failed in this model ({proof.error}), so this run "
            "does not use it."
        )
    return (
        f"On the first batch {shortcut} gave a different loss (relative difference "
        f"{rounded(proof.loss, 2)}) or different gradients ({rounded(proof.gradient, 2)}) than the "
        "full forward pass, so this run does not use it."
    )
