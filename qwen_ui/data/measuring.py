"""How much is in a data set, what a sequence length cuts off of it, and where it is broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from qwen_ui.data.columns import parse_columns
from qwen_ui.data.files import TEXT_FORMATS, read_values, unpacked_size
from qwen_ui.data.json_values import parse_json, read_json_values
from qwen_ui.data.reading import data_path, read_records
from qwen_ui.data.records import Record
from qwen_ui.data.samples import ByHand, read_sample
from qwen_ui.data.text_files import read_lines, suffixes_of
from qwen_ui.data.tokens import make_examples
from qwen_ui.errors import DataError

# Characters that are measured, of the beginning: 0.3 s with a fast tokenizer.
MEASURED_CHARACTERS = 1_000_000
MEASURED_RECORDS = 20_000
READ_WHOLE_BYTES = 4 * 1024**2
MOST_MISTAKES = 5
WHOLE = 2**62  # tokens: no sample is cut


@dataclass(frozen=True, slots=True)
class Measure:
    """What a data set holds for a model and a sequence length.

    Attributes:
        samples: that were measured; a document is one.
        whole: whether they are all there are; else the first.
        sequences: that a run trains on, of these samples.
        tokens, loss_tokens: in these sequences, and those of them in the loss.
        longest: tokens of the longest sample.
        truncated: samples that are longer than a sequence; a text is cut into several instead.
        left_out: samples of which no token with loss remains.
        is_document: whether it is one text, cut into sequences.
    """

    samples: int
    whole: bool
    sequences: int
    tokens: int
    loss_tokens: int
    longest: int
    truncated: int
    left_out: int
    is_document: bool = False


def measure_data(
    source: str,
    tokenizer: Any,
    sequence_length: int,
    *,
    packing: bool = False,
    columns: str | None = None,
) -> Measure:
    """Measure a source, or its beginning where it is large.

    Raises:
        DataError: the data cannot be read.
        SettingsError: `columns` is not understood.
    """
    path = data_path(source)
    small = path is not None and path.is_file() and unpacked_size(path) <= READ_WHOLE_BYTES
    most = None if small else MEASURED_RECORDS
    read = read_records(source, columns, most=most).records
    records = _beginning(read)
    # Of a large document no more than its beginning is read.
    whole = small or (len(records) == len(read) < MEASURED_RECORDS and not read[0].is_document)
    whole = whole and len(records) == len(read)
    examples, counts = make_examples(records, tokenizer, WHOLE)
    # A text is cut into sequences; of a conversation or an answer what is too long is cut off.
    texts = {record.where for record in records if record.text}
    lengths: list[int] = []
    loss, truncated, left_out, longest = 0, 0, counts.left_out, 0
    for example in examples:
        size = len(example.tokens)
        longest = max(longest, size)
        if example.where in texts:
            # A last sequence of one token would have nothing to predict (`tokens.py`).
            cuts = range(0, max(1, size - 1), sequence_length)
            parts = [min(sequence_length, size - cut) for cut in cuts]
            lengths += parts
            loss += sum(parts) - len(parts)  # the first token of each is not predicted
            continue
        truncated += size > sequence_length
        in_loss = sum(example.loss_mask[:sequence_length])
        if in_loss:
            lengths.append(min(size, sequence_length))
            loss += in_loss
        else:
            left_out += 1
    return Measure(
        samples=len(records),
        whole=whole,
        sequences=_packed(lengths, sequence_length) if packing else len(lengths),
        tokens=sum(lengths),
        loss_tokens=loss,
        longest=longest,
        truncated=truncated,
        left_out=left_out,
        is_document=records[0].is_document,
    )


def mistakes_in(source: str, columns: str | None = None) -> tuple[list[str], int]:
    """What is wrong with a file, by line: the first few sentences, and how many there are.

    Reading ends at a mistake; this goes on after it, so that a person mends all of them at once.

    Raises:
        DataError: the file as a whole cannot be read.
        SettingsError: `columns` is not understood.
    """
    shape = parse_columns(columns)
    by_hand = ByHand(shape, True) if shape else None
    path = data_path(source)
    if path is None or not path.is_file():
        return [], 0
    said: list[str] = []
    count = 0
    for where, value in _values(path):
        try:
            if isinstance(value, DataError):
                raise value
            read_sample(value, where, by_hand)
        except DataError as error:
            count += 1
            if len(said) < MOST_MISTAKES:
                said.append(str(error))
    return said, count


def _values(path: Path) -> Iterator[tuple[str, Any]]:
    """The values of a file; in the place of a line that is no JSON, why."""
    kind, _ = suffixes_of(path)
    lines = ((number, text) for number, text in read_lines(path) if text.strip())
    first = list(islice(lines, 2)) if TEXT_FORMATS.get(kind) is read_json_values else []
    if len(first) < 2 or not any(_is_object(text) for _, text in first):
        yield from read_values(path)
        return
    for number, text in chain(first, lines):
        where = f"{path.name}, line {number}"
        try:
            yield where, parse_json(text, where)
        except DataError as error:
            yield where, error


def _is_object(text: str) -> bool:
    """Whether a line is a JSON object by itself: then the file is one of lines."""
    try:
        return isinstance(parse_json(text, ""), dict)
    except DataError:
        return False


def _beginning(records: list[Record]) -> list[Record]:
    """So many of them as are measured."""
    left = MEASURED_CHARACTERS
    for number, record in enumerate(records):
        if left <= 0:
            return records[:number]
        left -= _characters(record)
    return records


def _characters(record: Record) -> int:
    turns = sum(len(str(turn.get("content") or "")) for turn in record.messages)
    return len(record.text) + len(record.prompt) + len(record.completion) + turns


def _packed(lengths: Iterable[int], sequence_length: int) -> int:
    """How many sequences hold samples of these lengths, as `tokens.pack` fills them."""
    count, room = 0, 0
    for length in lengths:
        if length > room:
            count, room = count + 1, sequence_length
        room -= length
    return count
