"""The very tokens of the first samples, each marked as carrying loss or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qwen_ui.data.records import first_records
from qwen_ui.data.tokens import Example, make_examples

SAMPLES = 3
RECORDS = 24


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        text: as it reads; bytes that are no text by themselves as the tokenizer names them.
        carries: whether the model is trained to write it.
        begins: whether a sample begins here, in a sequence that packs several.
    """

    text: str
    carries: bool
    begins: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence as the model gets it; `where` names the record that it begins with."""

    where: str
    tokens: tuple[Token, ...]

    @property
    def carrying(self) -> int:
        return sum(token.carries for token in self.tokens)


@dataclass(frozen=True, slots=True)
class Preview:
    """The first sequences, and a sentence on what was cut among the records read ("" for none)."""

    sequences: tuple[Sequence, ...]
    cut: str


def preview_data(
    source: str, tokenizer: Any, sequence_length: int, *, packing: bool = False
) -> Preview:
    """The first sequences of a source, made by the code that makes those of a run.

    Raises:
        DataError: the data cannot be read, or a sample in them cannot be used.
    """
    records = first_records(source, RECORDS)
    examples, counts = make_examples(records, tokenizer, sequence_length, packing=packing)
    cut = counts.sentence(sequence_length)
    shown = tuple(_sequence(example, tokenizer) for example in examples[:SAMPLES])
    return Preview(shown, f"Of the first {len(records)}: {cut}" if cut else "")


def _sequence(example: Example, tokenizer: Any) -> Sequence:
    starts = set(example.starts[1:])
    names = tokenizer.convert_ids_to_tokens(list(example.tokens))
    tokens = []
    for place, (token, name) in enumerate(zip(example.tokens, names, strict=True)):
        text = tokenizer.decode([token])
        text = str(name) if "\N{REPLACEMENT CHARACTER}" in text else text
        tokens.append(Token(text, example.carries[place], place in starts))
    return Sequence(example.where, tuple(tokens))
