"""The loss of every single token of examples, and whether the model would have written it.

A token is a hit where it is the likeliest one after all that stands before it. An answer whose
tokens are all hits is what greedy decoding writes, so exact matches need no decoding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from qwen_ui.data import IGNORED
from qwen_ui.engine.divergence import LOGITS_BYTES
from qwen_ui.engine.evaluation import EvaluationPass


@dataclass(frozen=True, slots=True)
class TokenLosses:
    """Of one example, at its tokens that carry loss, in order.

    Attributes:
        losses: nats.
        hits: whether each is the model's likeliest token.
    """

    losses: tuple[float, ...]
    hits: tuple[bool, ...]

    @property
    def total(self) -> float:
        """Sum of the losses (nats)."""
        return math.fsum(self.losses)


def token_losses(over: EvaluationPass, batch_size: int) -> tuple[TokenLosses, ...]:
    """Those of every example of a pass, as the model is now.

    Args:
        batch_size: sequences at a time at most; fewer where all their logits would take too much.
    """
    trainee, examples = over.trainee, over.examples
    words = trainee.model.config.get_text_config().vocab_size
    size = max(1, min(batch_size, LOGITS_BYTES // (4 * words * examples.longest)))
    losses: list[list[float]] = [[] for _ in examples.items]
    hits: list[list[bool]] = [[] for _ in examples.items]
    for part in over.parts(size):
        logits_NV = trainee.wide_logits(part.batch, part.prefix_BTH)
        targets_N = part.batch.targets
        loss_N = nn.functional.cross_entropy(
            logits_NV, targets_N, reduction="none", ignore_index=IGNORED
        )
        hit_N = logits_NV.argmax(1) == targets_N
        rows = zip(
            *(column.tolist() for column in (part.samples, targets_N, loss_N, hit_N)), strict=True
        )
        for sample, target, loss, hit in rows:
            if target != IGNORED:
                losses[sample].append(loss)
                hits[sample].append(hit)
    return tuple(TokenLosses(tuple(one), tuple(two)) for one, two in zip(losses, hits, strict=True))


def token_accuracy(found: Sequence[TokenLosses]) -> float:
    """Share of the tokens that are hits."""
    hits = [hit for one in found for hit in one.hits]
    return sum(hits) / len(hits)


def exact_matches(found: Sequence[TokenLosses]) -> int:
    """Examples whose tokens are all hits."""
    return sum(all(one.hits) for one in found)
