"""Records -> examples: token sequences with a loss mask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qwen_ui.data.chat import chat_tokens
from qwen_ui.data.counts import Counts
from qwen_ui.data.encoding import Encoder, LossyTokenizerError
from qwen_ui.data.records import Record
from qwen_ui.errors import DataError


@dataclass(frozen=True, slots=True)
class Example:
    """A sequence of tokens.

    Attributes:
        tokens: ids, at most `sequence_length` of them.
        loss_mask: whether each token is one to be predicted; never the first.
        where: source of its (first) record, for messages.
        starts: positions at which a sample starts; more than one only where samples are packed.
    """

    tokens: tuple[int, ...]
    loss_mask: tuple[bool, ...]
    where: str
    starts: tuple[int, ...] = (0,)

    @property
    def loss_tokens(self) -> int:
        """Number of tokens in the loss."""
        return sum(self.loss_mask)


def make_examples(
    records: list[Record], tokenizer: Any, sequence_length: int, *, packing: bool = False
) -> tuple[list[Example], Counts]:
    """The examples of these records, in order.

    Raises:
        DataError: a record cannot be turned into tokens, or none is left.
    """
    counts = Counts()
    encoder = Encoder(tokenizer)
    examples: list[Example] = []
    for record in records:
        for tokens, loss_mask in _tokenized(record, encoder, sequence_length, counts):
            example = _truncated(tokens, loss_mask, record.where, sequence_length, counts)
            if example is not None:
                examples.append(example)
    if not examples:
        raise DataError(
            f"No sample of {records[0].where.split(',')[0]} has a token with loss within "
            f"{sequence_length} tokens. Raise the sequence length or give longer samples."
        )
    return (pack(examples, sequence_length) if packing else examples), counts


def pack(examples: list[Example], sequence_length: int) -> list[Example]:
    """Concatenate samples into sequences, in order, as many as fit into each."""
    packed: list[Example] = []
    group: list[Example] = []
    for example in examples:
        if group and sum(len(e.tokens) for e in group) + len(example.tokens) > sequence_length:
            packed.append(_joined(group))
            group = []
        group.append(example)
    return [*packed, _joined(group)] if group else packed


def _joined(group: list[Example]) -> Example:
    starts, at = [], 0
    for example in group:
        starts.append(at)
        at += len(example.tokens)
    tokens = tuple(token for example in group for token in example.tokens)
    loss_mask = tuple(in_loss for example in group for in_loss in example.loss_mask)
    return Example(tokens, loss_mask, group[0].where, tuple(starts))


def _truncated(
    tokens: list[int], loss_mask: list[bool], where: str, length: int, counts: Counts
) -> Example | None:
    counts.truncated += len(tokens) > length
    tokens, loss_mask = tokens[:length], loss_mask[:length]
    loss_mask = [False, *loss_mask[1:]] if loss_mask else []
    if not any(loss_mask):
        counts.left_out += 1
        return None
    return Example(tuple(tokens), tuple(loss_mask), where)


def _tokenized(
    record: Record, encoder: Encoder, length: int, counts: Counts
) -> Iterator[tuple[list[int], list[bool]]]:
    if record.messages:
        yield chat_tokens(record, encoder, counts)
    elif record.prompt or record.completion:
        yield _completion(record, encoder)
    else:
        ids = encoder.ids(record.text)
        tokens, _ = encoder.surrounded(ids, is_document=record.is_document) if ids else ([], 0)
        # A last sequence of one token would have nothing to predict.
        for start in range(0, max(1, len(tokens) - 1), length):
            sequence = tokens[start : start + length]
            yield sequence, [True] * len(sequence)


def _completion(record: Record, encoder: Encoder) -> tuple[list[int], list[bool]]:
    text = record.prompt + record.completion
    try:
        ids, mask = encoder.with_spans(text, [(len(record.prompt), len(text))])
    except LossyTokenizerError as error:
        raise DataError(
            f"{record.where}: the tokens of the completion do not decode to its text, so what is "
            "in the loss is unknown. Use the tokenizer that the model came with."
        ) from error
    tokens, before = encoder.surrounded(ids)
    # An empty completion is a missing one: it has no end to be learned either.
    after = len(tokens) - before - len(ids)
    return tokens, [False] * before + mask + [bool(record.completion)] * after
