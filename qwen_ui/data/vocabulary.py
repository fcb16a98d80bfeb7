"""Token ids that the embedding has no row for: of added tokens, or of another model's tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qwen_ui.errors import ModelError


def has_ids_beyond(tokenizer: Any, rows: int) -> bool:
    """Whether the tokenizer can give an id that an embedding of so many rows lacks."""
    return max(tokenizer.get_vocab().values(), default=-1) >= rows


def refuse_ids_beyond(
    sequences: Iterable[tuple[str, Sequence[int]]], tokenizer: Any, rows: int, model: str
) -> None:
    """Refuse sequences with a token that the embedding has no row for.

    A tokenizer may have more tokens than the embedding has rows (Gemma 3 1B has one more, for
    images): only what is used counts.

    Args:
        sequences: where each is from, and its token ids.
        rows: of the embedding.

    Raises:
        ModelError: names the first such token.
    """
    for where, tokens in sequences:
        if not tokens or max(tokens) < rows:
            continue
        first = next(token for token in tokens if token >= rows)
        raise ModelError(
            f"{where}: the tokenizer gives '{tokenizer.convert_ids_to_tokens(first)}' the id "
            f"{first:,}, and the embedding of '{model}' has {rows:,} rows. Use the tokenizer that "
            "the model came with, or add rows with transformers' resize_token_embeddings."
        )


def padding_id(tokenizer: Any, rows: int | None) -> int:
    """The id that batches are padded with; 0 where the tokenizer's own is none or has no row.

    Padding is masked and carries no loss: any row will do.
    """
    pad = tokenizer.pad_token_id or 0
    return 0 if rows is not None and pad >= rows else int(pad)
