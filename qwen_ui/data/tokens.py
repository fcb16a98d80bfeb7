"""Records -> examples: token sequences with a loss mask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from qwen_ui.data.records import Record
from qwen_ui.errors import DataError

# Characters of a document that are tokenized at a time.
CHUNK = 1_000_000


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


@dataclass(slots=True)
class Counts:
    """How many samples were truncated, and how many were left out for having no loss then."""

    truncated: int = 0
    left_out: int = 0

    def sentence(self, sequence_length: int) -> str:
        """The counts as a sentence; "" where both are 0."""
        if not self.truncated and not self.left_out:
            return ""
        return (
            f"{_samples(self.truncated)} truncated to {sequence_length} tokens, and "
            f"{_samples(self.left_out)} left out because no token with loss remained."
        )


def _samples(count: int) -> str:
    return f"{count:,} {'sample was' if count == 1 else 'samples were'}"


def make_examples(
    records: list[Record], tokenizer: Any, sequence_length: int, *, packing: bool = False
) -> tuple[list[Example], Counts]:
    """The examples of these records, in order.

    Raises:
        DataError: a record cannot be turned into tokens, or none is left.
    """
    counts = Counts()
    examples: list[Example] = []
    for record in records:
        for tokens, loss_mask in _tokenized(record, tokenizer, sequence_length):
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
    record: Record, tokenizer: Any, length: int
) -> Iterator[tuple[list[int], list[bool]]]:
    if record.messages:
        yield _chat(record, tokenizer)
    elif record.completion:
        yield _completion(record, tokenizer)
    else:
        tokens = _text_tokens(record, tokenizer)
        # A last sequence of one token would have nothing to predict.
        for start in range(0, len(tokens) - 1, length):
            sequence = tokens[start : start + length]
            yield sequence, [True] * len(sequence)


def _text_tokens(record: Record, tokenizer: Any) -> list[int]:
    chunks = [record.text[i : i + CHUNK] for i in range(0, len(record.text), CHUNK)]
    tokens = [token for chunk in chunks for token in _ids(tokenizer, chunk)]
    return tokens if record.is_document else [*tokens, *_end(tokenizer)]


def _completion(record: Record, tokenizer: Any) -> tuple[list[int], list[bool]]:
    prompt = _ids(tokenizer, record.prompt)
    completion = [*_ids(tokenizer, record.completion), *_end(tokenizer)]
    return prompt + completion, [False] * len(prompt) + [True] * len(completion)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _end(tokenizer: Any) -> list[int]:
    return [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]


def _chat(record: Record, tokenizer: Any) -> tuple[list[int], list[bool]]:
    """Tokens of a conversation in the model's template; the assistant's turns are in the loss."""
    if not getattr(tokenizer, "chat_template", None):
        raise DataError(
            f"{record.where}: this model has no chat template, so messages cannot be used. Give "
            '"prompt" and "completion", or "text".'
        )
    messages = list(record.messages)
    whole = _render(tokenizer, messages, record.where)
    spans = _assistant_spans(tokenizer, messages, whole, record.where)
    coded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    loss_mask = [
        any(begin <= first < end for begin, end in spans) for first, _ in coded["offset_mapping"]
    ]
    return list(coded["input_ids"]), loss_mask


def _assistant_spans(
    tokenizer: Any, messages: list[dict[str, Any]], whole: str, where: str
) -> list[tuple[int, int]]:
    """Character ranges of the assistant's turns: what it is to write, its end mark included."""
    spans = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = _render(tokenizer, messages[:index], where, prompt=True) if index else ""
        after = _render(tokenizer, messages[: index + 1], where)
        if not whole.startswith(before) or not whole.startswith(after):
            raise DataError(
                f"{where}: the model's chat template rewrites earlier turns, so turn {index + 1} "
                "cannot be located. Give one conversation per sample, with a single answer."
            )
        # The newline that a template puts after the end mark is never written by the model.
        spans.append((len(before), len(after.rstrip("\n"))))
    return spans


def _render(
    tokenizer: Any, messages: list[dict[str, Any]], where: str, *, prompt: bool = False
) -> str:
    try:
        return str(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
        )
    except (TemplateError, TypeError, ValueError, KeyError) as error:
        raise DataError(f"{where}: the model's chat template refuses it ({error}).") from error
