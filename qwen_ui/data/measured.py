"""Which of the evaluation examples are measured, where they are more than a person waits for."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import replace

from qwen_ui.data.batches import Examples
from qwen_ui.data.tokens import Example


def measured_part(examples: Examples, most_tokens: int, seed: int) -> Examples:
    """So many tokens of the examples, whole sequences, in their order; all where they are fewer.

    Which sequences they are depends on their content and the split's seed alone: runs that are
    compared are measured on the same ones, and a sequence that is added displaces few others.

    Args:
        most_tokens: about so many tokens at most, one sequence at least; 0 measures all.
        seed: of the validation split.
    """
    total = examples.arrays.bounds[-1]
    if not most_tokens or total <= most_tokens:
        return examples
    chosen: set[int] = set()
    tokens = 0
    for index in sorted(
        range(len(examples.items)), key=lambda i: (_hash(examples.items[i], seed), i)
    ):
        tokens += len(examples.items[index].tokens)
        if chosen and tokens > most_tokens:
            break
        chosen.add(index)
    items = tuple(item for index, item in enumerate(examples.items) if index in chosen)
    measured = sum(len(item.tokens) for item in items)
    note = (
        f"{len(items):,} of {len(examples.items):,} sequences are measured ({measured:,} of "
        f"{total:,} tokens), the same ones in every run on this data; the setting eval_tokens says "
        "how many tokens at most."
    )
    return replace(examples, items=items, notes=(*examples.notes, note))


def _hash(example: Example, seed: int) -> bytes:
    return hashlib.sha256(array("q", [seed, *example.tokens]).tobytes()).digest()
