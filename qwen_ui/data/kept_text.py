"""The examples of a text to keep, of which so many tokens are measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from qwen_ui.data.batches import Examples, load_examples
from qwen_ui.data.tokens import Example


def load_kept_text(
    source: str,
    tokenizer: Any,
    sequence_length: int,
    *,
    most_tokens: int,
    packing: bool = False,
    columns: str | None = None,
) -> Examples:
    """The examples of a text to keep; of a longer one, sequences at equal distances.

    Args:
        most_tokens: about so many tokens are taken at most; one sequence at least.
        columns: as of the training data, where the text has them.

    Raises:
        DataError: the text cannot be read or used.
    """
    examples = load_examples(
        source, tokenizer, sequence_length, packing=packing, columns=columns, columns_required=False
    )
    total = sum(len(example.tokens) for example in examples.items)
    if total <= most_tokens:
        return examples
    taken = _spread(examples.items, most_tokens)
    measured = sum(len(example.tokens) for example in taken)
    note = f"{measured:,} of its {total:,} tokens are measured, at equal distances."
    return replace(examples, items=taken, notes=(*examples.notes, note))


def _spread(items: Sequence[Example], most_tokens: int) -> tuple[Example, ...]:
    """As many examples at equal distances as have no more than so many tokens."""
    total = sum(len(example.tokens) for example in items)
    count = max(1, len(items) * most_tokens // total)
    while True:
        taken = tuple(items[i * len(items) // count] for i in range(count))
        if count == 1 or sum(len(example.tokens) for example in taken) <= most_tokens:
            return taken
        count -= 1


def shared_note(kept: Examples, learned: Sequence[Examples]) -> str:
    """A sentence where sequences of the text to keep are learned or judged by; "" where none is."""
    known = {example.tokens for examples in learned for example in examples.items}
    shared = sum(example.tokens in known for example in kept.items)
    if not shared:
        return ""
    return (
        f"{shared:,} of the {len(kept.items):,} sequences of the text to keep are in the run's own "
        "data too: what the run does to them is learning. Choose a text that it does not learn."
    )
