"""Where a run changed its held-out text: token by token, the worst first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qwen_ui.data import Example
from qwen_ui.engine import TokenLosses, exact_matches, token_accuracy

# What a file and a page hold: the samples with the largest changes, and tokens of each.
MOST_SAMPLES = 60
MOST_TOKENS = 2000


def token_changes(
    examples: Sequence[Example],
    before: Sequence[TokenLosses],
    after: Sequence[TokenLosses],
    decode: Callable[[int], str],
) -> dict[str, Any]:
    """The record of a run's changes, token by token.

    Args:
        examples: the held-out ones.
        before, after: of each, of the base and of the run.
        decode: a token's id to its text.

    Returns:
        `token_accuracy_before` and `_after`; `answers`: how many samples are answers to a prompt,
        with `exact_before` and `exact_after` of them written word for word; `total_before` and
        `total_after`, sums over all samples (nats); `samples`: where, pieces of text, and the
        losses of each piece before and after (null where it carries none), those that got worst
        first.
    """
    answers = [i for i, example in enumerate(examples) if is_answer(example)]
    rise = [b.total - a.total for a, b in zip(before, after, strict=True)]
    order = sorted(range(len(examples)), key=lambda i: -rise[i])
    # Where not all are kept: both ends, since what got much better is worth reading too.
    if len(order) > MOST_SAMPLES:
        order = order[: MOST_SAMPLES // 2] + order[-(MOST_SAMPLES // 2) :]
    return {
        "token_accuracy_before": token_accuracy(before),
        "token_accuracy_after": token_accuracy(after),
        "answers": len(answers),
        "exact_before": exact_matches([before[i] for i in answers]),
        "exact_after": exact_matches([after[i] for i in answers]),
        "total_before": sum(one.total for one in before),
        "total_after": sum(one.total for one in after),
        "count": len(examples),
        "samples": [_sample(examples[i], before[i], after[i], decode) for i in order],
    }


def is_answer(example: Example) -> bool:
    """Whether a sample has a prompt; of a plain text the first token alone carries no loss."""
    return example.loss_mask.index(True) > 1


def _sample(
    example: Example, before: TokenLosses, after: TokenLosses, decode: Callable[[int], str]
) -> dict[str, Any]:
    earlier, later = iter(before.losses), iter(after.losses)
    pieces: list[list[Any]] = []
    for token, carries in zip(example.tokens, example.loss_mask, strict=True):
        if len(pieces) == MOST_TOKENS:
            break
        pieces.append(
            [decode(token), round(next(earlier), 4), round(next(later), 4)]
            if carries
            else [decode(token), None, None]
        )
    return {
        "where": example.where,
        "before": before.total / len(before.losses),
        "after": after.total / len(after.losses),
        "tokens": len(before.losses),
        "pieces": pieces,
    }
