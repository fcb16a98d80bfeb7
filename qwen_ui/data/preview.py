"""The first sequences of a data set as the model gets them, with what is in the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qwen_ui.data.reading import read_records, template_notes
from qwen_ui.data.tokens import Example, make_examples
from qwen_ui.data.vocabulary import refuse_ids_beyond
from qwen_ui.errors import SettingsError

SAMPLES = 3
RECORDS = 24
MOST_BROWSED = 900  # sequences that can be looked at


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        text: decoded; where its bytes are not text by themselves, the tokenizer's name for it.
        in_loss: whether the model is trained to predict it.
        starts_sample: whether another sample starts here, in a packed sequence.
    """

    text: str
    in_loss: bool
    starts_sample: bool


@dataclass(frozen=True, slots=True)
class Sequence:
    """A sequence as the model gets it; `where` is the source of its first record."""

    where: str
    tokens: tuple[Token, ...]

    @property
    def loss_tokens(self) -> int:
        """Number of tokens in the loss."""
        return sum(token.in_loss for token in self.tokens)


@dataclass(frozen=True, slots=True)
class Preview:
    """The first sequences of a data set.

    Attributes:
        sequences: as the model gets them.
        first: the place of the first of them in the data, from 0.
        more: whether others follow.
        notes: sentences on what was taken for what, and on what was truncated or left out.
    """

    sequences: tuple[Sequence, ...]
    notes: tuple[str, ...]
    first: int = 0
    more: bool = False


def preview_data(
    source: str,
    tokenizer: Any,
    sequence_length: int,
    *,
    packing: bool = False,
    columns: str | None = None,
    rows: int | None = None,
    model: str = "",
    first: int = 0,
) -> Preview:
    """Sequences of a source, made by the same code as those of a run.

    Args:
        first: the place of the first that is shown, from 0; the last ones where it is beyond them.
        columns: which columns of the data are which part, by hand; see `reading.read_records`.
        rows: of the embedding of this model; None where they are not known.

    Raises:
        DataError: the data cannot be read, or a sample in them cannot be used.
        SettingsError: `columns` is not understood, or the length is none.
        ModelError: a token in them has no row in the embedding.
    """
    if sequence_length < 2:
        raise SettingsError(
            f"A sequence cannot have {sequence_length} tokens. Give a length of at least 2."
        )
    first = min(max(0, first), MOST_BROWSED)
    # A sample that is left out is no sequence: some more are read than are shown.
    loaded = read_records(source, columns, most=RECORDS + 2 * first)
    records = loaded.records
    examples, counts = make_examples(records, tokenizer, sequence_length, packing=packing)
    if rows is not None:
        refuse_ids_beyond(((e.where, e.tokens) for e in examples), tokenizer, rows, model)
    cut = counts.sentence(sequence_length)
    first = min(first, (len(examples) - 1) // SAMPLES * SAMPLES)
    page = examples[first : first + SAMPLES]
    shown = tuple(_sequence(example, tokenizer) for example in page)
    of_first = (f"Of the first {len(records)}: {cut}",) if cut else ()
    notes = (*loaded.notes, *template_notes(records, tokenizer), *of_first)
    more = first + SAMPLES < min(len(examples), MOST_BROWSED)
    return Preview(shown, notes, first, more)


def _sequence(example: Example, tokenizer: Any) -> Sequence:
    sample_starts = set(example.starts[1:])
    names = tokenizer.convert_ids_to_tokens(list(example.tokens))
    tokens = []
    for place, (token, name) in enumerate(zip(example.tokens, names, strict=True)):
        text = tokenizer.decode([token])
        text = str(name) if "\N{REPLACEMENT CHARACTER}" in text else text
        tokens.append(Token(text, example.loss_mask[place], place in sample_starts))
    return Sequence(example.where, tuple(tokens))
