"""Records -> examples: the very tokens, each marked as carrying loss or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qwen_ui.data.records import Record
from qwen_ui.errors import DataError

# Characters of a document that are tokenised at a time.
CHUNK = 1_000_000


@dataclass(frozen=True, slots=True)
class Example:
    """A sequence of tokens.

    Attributes:
        tokens: ids, at most `sequence_length` of them.
        carries: whether the token is one to be predicted; never for the first.
        where: the record that it comes from.
        starts: positions at which a sample begins; more than one only where samples are packed.
    """

    tokens: tuple[int, ...]
    carries: tuple[bool, ...]
    where: str
    starts: tuple[int, ...] = (0,)

    @property
    def loss_tokens(self) -> int:
        return sum(self.carries)


@dataclass(slots=True)
class Counts:
    """What was cut on the way: samples cut off at the length, and samples left out for it."""

    truncated: int = 0
    left_out: int = 0

    def sentence(self, sequence_length: int) -> str:
        """What was cut, "" where nothing was."""
        if not self.truncated and not self.left_out:
            return ""
        return (
            f"{self.truncated} samples were cut off at {sequence_length} tokens, and "
            f"{self.left_out} were left out because no token that carries loss remained."
        )


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
        for tokens, carries in _tokenized(record, tokenizer, sequence_length):
            example = _cut(tokens, carries, record.where, sequence_length, counts)
            if example is not None:
                examples.append(example)
    if not examples:
        raise DataError(
            f"No sample of {records[0].where.split(',')[0]} has a token that carries loss within "
            f"{sequence_length} tokens. Raise the sequence length or give longer samples."
        )
    return (pack(examples, sequence_length) if packing else examples), counts


def pack(examples: list[Example], sequence_length: int) -> list[Example]:
    """Several samples to a sequence, in order, as many as fit."""
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
    carries = tuple(carry for example in group for carry in example.carries)
    return Example(tokens, carries, group[0].where, tuple(starts))


def _cut(
    tokens: list[int], carries: list[bool], where: str, length: int, counts: Counts
) -> Example | None:
    counts.truncated += len(tokens) > length
    tokens, carries = tokens[:length], carries[:length]
    carries = [False, *carries[1:]] if carries else []
    if not any(carries):
        counts.left_out += 1
        return None
    return Example(tuple(tokens), tuple(carries), where)


def _tokenized(
    record: Record, tokenizer: Any, length: int
) -> Iterator[tuple[list[int], list[bool]]]:
    if record.messages:
        yield _chat(record, tokenizer)
    elif record.completion:
        yield _completion(record, tokenizer)
    else:
        tokens = _text_tokens(record, tokenizer)
        # A last piece of one token has nothing to predict, so it is not begun.
        for start in range(0, len(tokens) - 1, length):
            piece = tokens[start : start + length]
            yield piece, [True] * len(piece)


def _text_tokens(record: Record, tokenizer: Any) -> list[int]:
    pieces = [record.text[i : i + CHUNK] for i in range(0, len(record.text), CHUNK)]
    tokens = [token for piece in pieces for token in _ids(tokenizer, piece)]
    return tokens if record.whole else [*tokens, *_end(tokenizer)]


def _completion(record: Record, tokenizer: Any) -> tuple[list[int], list[bool]]:
    prompt = _ids(tokenizer, record.prompt)
    completion = [*_ids(tokenizer, record.completion), *_end(tokenizer)]
    return prompt + completion, [False] * len(prompt) + [True] * len(completion)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _end(tokenizer: Any) -> list[int]:
    return [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]


def _chat(record: Record, tokenizer: Any) -> tuple[list[int], list[bool]]:
    """Tokens of a conversation in the model's own template; the assistant's turns carry loss."""
    if not getattr(tokenizer, "chat_template", None):
        raise DataError(
            f"{record.where}: this model has no chat template, so messages cannot be used. Give "
            '"prompt" and "completion", or "text".'
        )
    messages = list(record.messages)
    whole = _render(tokenizer, messages, record.where)
    spans = _assistant_spans(tokenizer, messages, whole, record.where)
    coded = tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    carries = [
        any(begin <= first < end for begin, end in spans) for first, _ in coded["offset_mapping"]
    ]
    return list(coded["input_ids"]), carries


def _assistant_spans(
    tokenizer: Any, messages: list[dict[str, Any]], whole: str, where: str
) -> list[tuple[int, int]]:
    """Character ranges of the assistant's turns: what it has to write, its end mark included."""
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
        # The newline that a template sets behind the end mark is never written by the model.
        spans.append((len(before), len(after.rstrip("\n"))))
    return spans


def _render(
    tokenizer: Any, messages: list[dict[str, Any]], where: str, *, prompt: bool = False
) -> str:
    from jinja2 import TemplateError  # noqa: PLC0415  comes with the templates that need it

    try:
        return str(
            tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt)
        )
    except (TemplateError, TypeError, ValueError, KeyError) as error:
        raise DataError(f"{where}: the model's chat template refuses it ({error}).") from error
