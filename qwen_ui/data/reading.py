"""A source of data -> records, with sentences on what was taken for what and what was left out.

A source is a file of any of `files.FORMATS`, the name of a shipped one, a `datasets` folder or a
hub id. Slow libraries (pyarrow, datasets) are imported for the sources that need them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from qwen_ui.data.columnar import without_nulls
from qwen_ui.data.columns import parse_columns
from qwen_ui.data.files import (
    DATA_SUFFIXES,
    is_document,
    read_values,
    unpacked_size,
)
from qwen_ui.data.records import Record
from qwen_ui.data.samples import ByHand, read_sample
from qwen_ui.data.shapes import EXPECTED
from qwen_ui.errors import DataError
from qwen_ui.paths import ASSETS, named_path

# Up to this size a file is checked whole before a launch, 0.5 s; of a larger one the beginning.
CHECKED_BYTES = 32 * 1024**2
CHECKED_RECORDS = 1000

PLAIN = (
    "Prompts and completions are used as plain text; give `messages` to use the model's chat "
    "template, or name the columns user=… and assistant=…."
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Records of a source.

    Attributes:
        records: at least one, in the source's order.
        notes: sentences on what was taken for what, and on what was left out.
    """

    records: list[Record]
    notes: tuple[str, ...]


def shipped_data() -> dict[str, Path]:
    """The files that ship with the package, by the names that people may give for them."""
    files = (file for file in sorted((ASSETS / "data").iterdir()) if file.suffix in DATA_SUFFIXES)
    return {file.stem: file for file in files}


def data_path(source: str) -> Path | None:
    """The file or folder of a source; None where it is none, such as a hub id.

    A file of a person's own goes before a shipped one of that name.
    """
    return named_path(source) or shipped_data().get(source)


def read_records(
    source: str,
    columns: str | None = None,
    *,
    most: int | None = None,
    required: bool = True,
    keep: bool = True,
) -> Loaded:
    """The records of a source.

    Args:
        columns: a mapping by hand, such as `prompt=question,completion=answer`.
        most: how many records, the first; all where None. No more of a file is read than that.
        required: whether rows without the columns of the mapping are an error; else they are read
            as without it.
        keep: whether the records are wanted, or the notes alone (and the last record).

    Raises:
        DataError: there is no such data, or a part of it cannot be used.
        SettingsError: the mapping is not understood.
    """
    shape = parse_columns(columns)
    by_hand = ByHand(shape, required) if shape else None
    path = data_path(source)
    if path is not None and path.is_file():
        if not is_document(path):
            return _loaded(read_values(path), path.name, by_hand, most, keep)
        texts = read_values(path, beginning=most is not None)
        records = [Record(where, text=text, is_document=True) for where, text in texts]
        if not records:
            raise DataError(f"'{path.name}' is empty. Give a text.")
        return Loaded(records, ())
    if path is not None and path.is_dir():
        rows, notes = _training_part(_load_folder(path), path.name)
    elif _is_hub_id(source):
        rows, notes = _training_part(_load_hub(source), source)
    else:
        raise DataError(
            f"There is no file '{source[:100]}'. Check the path; shipped are "
            f"{', '.join(shipped_data())}."
        )
    loaded = _loaded(_numbered(rows, source), source, by_hand, most, keep)
    return Loaded(loaded.records, (*notes, *loaded.notes))


def check_data(
    source: str, columns: str | None = None, *, required: bool = True
) -> tuple[str, ...]:
    """The notes on a file, read before a launch; of a large one the first 1,000 records.

    Raises:
        UserError: as `read_records`.
    """
    path = data_path(source)
    whole = path is not None and path.is_file() and unpacked_size(path) <= CHECKED_BYTES
    most = None if whole else CHECKED_RECORDS
    return read_records(source, columns, most=most, required=required, keep=False).notes


def template_notes(records: Iterable[Record], tokenizer: Any) -> tuple[str, ...]:
    """A sentence where a model has a chat template and prompts do not go through it."""
    plain = any(record.completion for record in records)
    if not plain or not getattr(tokenizer, "chat_template", None):
        return ()
    return (PLAIN,)


def _loaded(
    values: Iterable[tuple[str, Any]],
    name: str,
    by_hand: ByHand | None,
    most: int | None,
    keep: bool,
) -> Loaded:
    taken: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    first_left_out: dict[str, str] = {}

    def records() -> Iterator[Record]:
        for where, value in values:
            sample = read_sample(value, where, by_hand)
            if sample.record is None:
                left_out[sample.reason] += 1
                first_left_out.setdefault(sample.reason, where)
                continue
            taken[sample.taken] += 1
            yield sample.record

    found = list(deque(islice(records(), most), maxlen=None if keep else 1))
    if not found:
        for reason, where in first_left_out.items():
            others = f", as in all {left_out.total()} samples" if left_out.total() > 1 else ""
            raise DataError(f"{where}: {reason}{others}. Give samples with {EXPECTED}.")
        raise DataError(f"'{name}' is empty: it holds no samples. Give some with {EXPECTED}.")
    notes = [_taken_note(what, count, len(taken)) for what, count in taken.items() if what]
    for reason, count in left_out.items():
        samples = "sample was" if count == 1 else "samples were"
        where = first_left_out[reason]
        which = where if count == 1 else f"the first: {where}"
        notes.append(f"{count:,} {samples} left out: {reason} ({which}).")
    return Loaded(found, tuple(notes))


def _taken_note(what: str, count: int, kinds: int) -> str:
    if kinds == 1:
        return f"Columns: {what}."
    return f"Columns of {count:,} {'sample' if count == 1 else 'samples'}: {what}."


def _numbered(rows: Iterable[Any], name: str) -> Iterator[tuple[str, Any]]:
    for number, row in enumerate(rows, start=1):
        yield f"{name}, row {number}", without_nulls(row)


def _is_hub_id(source: str) -> bool:
    """Whether it is written as one; names such as `teknium/OpenHermes-2.5` have a dot."""
    named_as_file = Path(source).suffix.lower() in DATA_SUFFIXES
    return source.count("/") == 1 and not source.startswith((".", "/", "~")) and not named_as_file


def _load_folder(path: Path) -> Any:
    import datasets  # noqa: PLC0415  slow, and needed only here

    saved = (path / "dataset_info.json").is_file() or (path / "dataset_dict.json").is_file()
    try:
        return datasets.load_from_disk(str(path)) if saved else datasets.load_dataset(str(path))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise DataError(f"The folder '{path}' is not a readable dataset ({error}).") from error


def _load_hub(source: str) -> Any:
    import datasets  # noqa: PLC0415  slow, and needed only here

    try:
        return datasets.load_dataset(source)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"There is no file '{source[:100]}', and the hub dataset of that name cannot be read "
            f"({type(error).__name__}). Check the path or the network."
        ) from error


def _training_part(loaded: Any, name: str) -> tuple[Iterable[Any], tuple[str, ...]]:
    """The split to train on, and a sentence where there are others."""
    if not isinstance(loaded, dict):
        return loaded, ()
    split = "train" if "train" in loaded else next(iter(loaded))
    others = [other for other in loaded if other != split]
    if not others:
        return loaded[split], ()
    return loaded[split], (
        f"Of '{name}' the split '{split}' is used; not used: {', '.join(others)}.",
    )
