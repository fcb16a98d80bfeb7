"""What a run trains on and what it is judged by.

Which samples are held out depends on their content and a split seed, never on the training seed:
runs that are compared are judged by the same samples, whatever their seeds, and a sample that
stands twice in the data is on one side only.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from qwen_ui.data.batches import Examples, examples_of
from qwen_ui.data.reading import Loaded, read_records
from qwen_ui.data.records import Record
from qwen_ui.data.tokens import make_examples
from qwen_ui.errors import DataError

# By default a fifth of small data is held out, until ENOUGH samples are, and 5 % of large data, up
# to MOST. The paired standard error of a gain on chat samples (SmolLM2-135M) is 0.35 nats per
# token for 3 samples, 0.17 for 12, 0.08 for 60 and 0.045 for 200; MOST more would cost time alone.
SMALL_SHARE, LARGE_SHARE = 0.2, 0.05
ENOUGH, MOST = 60, 400
MIN_LINE = 40  # characters; shorter lines of documents are equal by chance


def load_split(
    source: str,
    eval_source: str | None,
    validation_split: float | None,
    tokenizer: Any,
    sequence_length: int,
    *,
    packing: bool = False,
    seed: int = 0,
    columns: str | None = None,
) -> tuple[Examples, Examples]:
    """Training and evaluation examples; without `eval_source`, a part of `source` is held out.

    Args:
        validation_split: share of the samples that is held out; None for `held_out_count`.
        seed: with a sample's content, decides whether it is held out.
        columns: which columns of `source` are which part, by hand; `eval_source` is read so as well
            where it has these columns.

    Raises:
        SettingsError: `columns` is not understood.
        DataError: a source cannot be used, or is too small to be split.
    """

    def examples(records: list[Record], notes: tuple[str, ...] = ()) -> Examples:
        loaded = Loaded(records, notes)
        return examples_of(loaded, tokenizer, sequence_length, packing=packing)

    loaded = read_records(source, columns)
    records, notes = loaded.records, loaded.notes
    if eval_source is not None:
        held_out = read_records(eval_source, columns, required=False)
        evaluation = examples(held_out.records, held_out.notes)
        note = overlap_note(records, held_out.records)
        told = (*evaluation.notes, note) if note else evaluation.notes
        return examples(records, notes), replace(evaluation, notes=told)
    if len(records) == 1 and records[0].is_document:
        return _split_document(records, validation_split, tokenizer, sequence_length)
    training, rest = split_records(records, validation_split, seed, Path(source).name)
    return examples(training, notes), examples(rest)


def held_out_count(count: int, validation_split: float | None) -> int:
    """How many of so many samples are held out; at least one, and never all."""
    if validation_split is None:
        wanted = max(min(SMALL_SHARE * count, ENOUGH), min(LARGE_SHARE * count, MOST))
    else:
        wanted = validation_split * count
    return min(max(1, round(wanted)), count - 1)


def split_records(
    records: list[Record], validation_split: float | None, seed: int, source: str
) -> tuple[list[Record], list[Record]]:
    """Records to train on and records held out, both in their order.

    Raises:
        DataError: there is but one sample, or all are alike.
    """
    keys = [_key(record, seed) for record in records]
    distinct = sorted(set(keys))
    if len(distinct) < 2:
        what = "one sample" if len(records) == 1 else f"{len(records):,} samples, all alike"
        raise DataError(
            f"'{source}' holds {what}, so none can be held out for evaluation. Add samples, or "
            "give separate evaluation data."
        )
    copies = {key: 0 for key in distinct}
    for key in keys:
        copies[key] += 1
    wanted, chosen, held = held_out_count(len(records), validation_split), set[str](), 0
    for key in distinct[:-1]:
        if held >= wanted:
            break
        chosen.add(key)
        held += copies[key]
    training = [r for r, key in zip(records, keys, strict=True) if key not in chosen]
    held_out = [r for r, key in zip(records, keys, strict=True) if key in chosen]
    return training, held_out


def overlap_note(training: list[Record], evaluation: list[Record]) -> str:
    """A sentence where evaluation data are training data too; "" where they are not."""
    trained = {_key(record) for record in training if not record.is_document}
    same = sum(_key(record) in trained for record in evaluation if not record.is_document)
    if same:
        return (
            f"{same:,} of the {len(evaluation):,} held-out samples are in the training data too. "
            "The evaluation loss rewards learning them by heart; give other evaluation data."
        )
    known = {line for record in training for line in _lines(record)}
    lines = [line for record in evaluation for line in _lines(record)]
    shared = sum(line in known for line in lines)
    if not shared:
        return ""
    return (
        f"{shared:,} of the {len(lines):,} longer lines of the evaluation text are in the training "
        "text too. The evaluation loss rewards learning them by heart; give other evaluation data."
    )


def _lines(record: Record) -> list[str]:
    if not record.is_document:
        return []
    return [line for raw in record.text.splitlines() if len(line := raw.strip()) >= MIN_LINE]


def _key(record: Record, seed: int = 0) -> str:
    """A hash of a record's content, and of nothing that says where it stands."""
    content = {
        name: getattr(record, name)
        for name in record.__dataclass_fields__
        if name not in {"where", "is_document"}
    }
    text = json.dumps([seed, content], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _split_document(
    records: list[Record], fraction: float | None, tokenizer: Any, sequence_length: int
) -> tuple[Examples, Examples]:
    """Hold out the end of a document: a sequence from its middle would be known by its context."""
    examples, _ = make_examples(records, tokenizer, sequence_length)
    if len(examples) < 2:
        raise DataError(
            f"'{records[0].where}' holds one sequence of {sequence_length} tokens, so none can be "
            "held out. Give more text, a smaller sequence length, or evaluation data."
        )
    count = held_out_count(len(examples), fraction)
    return Examples(tuple(examples[:-count])), Examples(tuple(examples[-count:]))
