"""Files -> records: one conversation, one prompt with its completion, or one text each.

Every record has the file and line that it came from, so that a message can name one that cannot be
used. Slow libraries (pyarrow, datasets) are imported for the sources that need them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from qwen_ui.errors import DataError

MAX_FILE_BYTES = 8 * 1024**3
MAX_FIELD_BYTES = 64 * 1024**2
HEAD_BYTES = 256 * 1024
SHAPES = '"messages", "prompt" with "completion", or "text"'


@dataclass(frozen=True, slots=True)
class Record:
    """One sample as it stands in a file; exactly one of the three shapes.

    Attributes:
        where: `file, line 12`, for messages.
        messages: turns, each with `role` and `content`.
        prompt, completion: loss is on the completion.
        text: loss is on all of it.
        is_document: the text is to be cut into sequences, not one sample.
        tools: descriptions of functions that the conversation may call.
    """

    where: str
    messages: tuple[dict[str, Any], ...] = ()
    prompt: str = ""
    completion: str = ""
    text: str = ""
    is_document: bool = False
    tools: tuple[Any, ...] = ()


def read_records(source: str) -> list[Record]:
    """The records of a file, a `datasets` folder or a hub id.

    Raises:
        DataError: there is no such data, or a record in it cannot be used.
    """
    path = Path(source).expanduser()
    if path.is_file():
        _check_size(path)
        records = list(_read_file(path))
    elif path.is_dir():
        records = list(_numbered(_load_folder(path), source, "row"))
    elif source.count("/") == 1 and not source.startswith((".", "/", "~")) and not path.suffix:
        records = list(_numbered(_load_hub(source), source, "row"))
    else:
        raise DataError(f"There is no file '{source}'. Check the path.")
    if not records:
        raise DataError(f"'{source}' holds no samples. Give at least one with {SHAPES}.")
    return records


def first_records(source: str, most: int) -> list[Record]:
    """The first records of a source; of a large text or jsonl file only the head is read.

    Raises:
        DataError: as `read_records`.
    """
    path = Path(source).expanduser()
    if not path.is_file():
        return read_records(source)[:most]
    _check_size(path)
    return list(islice(_read_file(path, HEAD_BYTES), most))


def to_record(value: Any, where: str) -> Record:
    """A parsed object as a record.

    Raises:
        DataError: it has none of the three shapes, or a field is not text.
    """
    if not isinstance(value, dict):
        raise DataError(f"{where}: this is not an object. Each sample needs {SHAPES}.")
    if value.get("messages") is not None:
        tools = value.get("tools") or ()
        return Record(where, messages=_messages(value["messages"], where), tools=tuple(tools))
    if value.get("prompt") is not None or value.get("completion") is not None:
        prompt, completion = value.get("prompt"), value.get("completion")
        if not isinstance(prompt, str) or not isinstance(completion, str) or not completion:
            raise DataError(f'{where}: "prompt" and "completion" must both be given, as text.')
        return Record(where, prompt=prompt, completion=completion)
    text = value.get("text")
    if not isinstance(text, str):
        raise DataError(f"{where}: no usable field. Each sample needs {SHAPES}.")
    if not text.strip():
        raise DataError(f'{where}: "text" is empty. Remove the sample or fill it.')
    return Record(where, text=text)


def _messages(value: Any, where: str) -> tuple[dict[str, Any], ...]:
    if isinstance(value, str):
        # A column of a CSV file holds the turns as JSON.
        value = _parse(value, where)
    if not isinstance(value, list) or not value:
        raise DataError(f'{where}: "messages" must be a non-empty list of turns.')
    for number, turn in enumerate(value, start=1):
        if not isinstance(turn, dict) or not isinstance(turn.get("role"), str):
            raise DataError(f'{where}: turn {number} needs a "role" and a "content".')
        content = turn.get("content")
        if not isinstance(content, str | list) and not (content is None and _is_called(turn)):
            raise DataError(f'{where}: the "content" of turn {number} must be text.')
    return tuple(value)


def _is_called(turn: dict[str, Any]) -> bool:
    return bool(turn.get("tool_calls"))


def _read_file(path: Path, most: int | None = None) -> Iterator[Record]:
    """Records one by one; `most` limits the bytes read where lines can be left out."""
    match path.suffix.lower():
        case ".jsonl" | ".ndjson":
            for number, line in enumerate(_text(path, most).split("\n"), start=1):
                if line.strip():
                    where = f"{path.name}, line {number}"
                    yield to_record(_parse(line, where), where)
        case ".json":
            yield from _numbered(_array(path), path.name, "sample")
        case ".csv":
            yield from _read_csv(path)
        case ".parquet":
            yield from _numbered(_load_parquet(path), path.name, "row")
        case ".txt":
            text = _text(path, most)
            if text.strip():
                yield Record(path.name, text=text, is_document=True)
        case other:
            raise DataError(
                f"'{path.name}' ends in '{other}', which is not supported. Use .jsonl, .json, "
                ".csv, .parquet or .txt."
            )


def _text(path: Path, most: int | None = None) -> str:
    with path.open("rb") as file:
        data = file.read(-1 if most is None else most)
        whole = not file.read(1)
    if not whole:
        # Up to the last whole line; where there is none, the file is one line and read whole.
        data = data[: data.rfind(b"\n") + 1] or path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path.name}, line {line}: not UTF-8. Save the file as UTF-8.") from error


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: not valid JSON ({error}). Fix or remove it.") from error


def _array(path: Path) -> list[Any]:
    value = _parse(_text(path), path.name)
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = value["data"]
    if not isinstance(value, list):
        raise DataError(f"{path.name}: a .json file must be a list of samples.")
    return value


def _read_csv(path: Path) -> Iterator[Record]:
    csv.field_size_limit(MAX_FIELD_BYTES)
    reader = csv.DictReader(io.StringIO(_text(path), newline=""))
    try:
        for row in reader:
            yield to_record(row, f"{path.name}, line {reader.line_num}")
    except csv.Error as error:
        raise DataError(f"{path.name}, line {reader.line_num}: {error}.") from error


def _numbered(values: Iterable[Any], name: str, unit: str) -> Iterator[Record]:
    for number, value in enumerate(values, start=1):
        yield to_record(value, f"{name}, {unit} {number}")


def _check_size(path: Path) -> None:
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"'{path}' is empty. Give at least one sample with {SHAPES}.")
    if size > MAX_FILE_BYTES:
        raise DataError(f"'{path}' is larger than 8 GiB. Split it, or use a `datasets` folder.")


def _load_parquet(path: Path) -> Iterable[Any]:
    import pyarrow.parquet  # noqa: PLC0415  slow, and needed only here

    try:
        return pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"'{path.name}' is not a readable Parquet file ({error}).") from error


def _load_folder(path: Path) -> Iterable[Any]:
    import datasets  # noqa: PLC0415  slow, and needed only here

    saved = (path / "dataset_info.json").is_file() or (path / "dataset_dict.json").is_file()
    try:
        loaded = datasets.load_from_disk(str(path)) if saved else datasets.load_dataset(str(path))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise DataError(f"The folder '{path}' is not a readable dataset ({error}).") from error
    return _training_part(loaded)


def _load_hub(source: str) -> Iterable[Any]:
    import datasets  # noqa: PLC0415  slow, and needed only here

    try:
        return _training_part(datasets.load_dataset(source))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise DataError(
            f"There is no file '{source}', and the hub dataset of that name cannot be read "
            f"({type(error).__name__}). Check the path or the network."
        ) from error


def _training_part(loaded: Any) -> Iterable[Any]:
    if not isinstance(loaded, dict):
        return loaded
    name = "train" if "train" in loaded else next(iter(loaded))
    return loaded[name]
