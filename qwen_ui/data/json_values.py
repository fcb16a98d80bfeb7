"""JSON files -> values: lines, one list, a list inside an object, or columns; the text decides.

JSON Lines may be in a file that ends in `.json` and a list in one that ends in `.jsonl`: people
have both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from qwen_ui.data.conversations import looks_like_turns
from qwen_ui.data.shapes import fits
from qwen_ui.errors import DataError

CONTAINERS = ("data", "train", "rows", "samples", "examples")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

Line = tuple[int, str]


def read_json_values(lines: Iterator[Line], name: str) -> Iterator[tuple[str, Any]]:
    """(where, value) of every sample.

    Args:
        lines: (number, text) of every line of the file.
        name: of the file, for messages.

    Raises:
        DataError: what cannot be read, by line.
    """
    filled = ((number, text) for number, text in lines if text.strip())
    first = next(filled, None)
    if first is None:
        return
    second = None
    if (one := _whole_line(*first, name)) is not None:
        second = next(filled, None)
    if second is None:
        yield from _of_whole(first, one, lines, name)
        return
    yield _where(name, first[0]), one[0] if one else None
    for number, text in chain([second], filled):
        where = _where(name, number)
        yield where, parse_json(text, where)


def parse_json(text: str, where: str) -> Any:
    """A JSON text.

    Raises:
        DataError: it is none, or holds what no tokenizer takes.
    """
    try:
        value = json.loads(text)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start]).strip("'")
        raise DataError(
            f"{where}: it holds {half}, half of a character (a broken emoji). Remove it."
        ) from error
    except ValueError as error:
        raise DataError(f"{where}: not valid JSON ({error}). Fix or remove it.") from error
    except RecursionError as error:
        raise DataError(f"{where}: it is nested too deeply. Fix or remove it.") from error
    return value


def _whole_line(number: int, text: str, name: str) -> tuple[Any] | None:
    """The value of a line; None where it is the beginning of a longer text."""
    try:
        return (parse_json(text, _where(name, number)),)
    except DataError as error:
        cause = error.__cause__
        if isinstance(cause, json.JSONDecodeError) and cause.pos >= len(text.rstrip()):
            return None
        raise


def _of_whole(
    first: Line, one: tuple[Any] | None, rest: Iterator[Line], name: str
) -> Iterator[tuple[str, Any]]:
    """The samples of a file that is one JSON text."""
    value = one[0] if one is not None else _long_text(first, rest, name)
    samples = samples_in(value)
    if samples is None:
        yield _where(name, first[0]) if one is not None else name, value
        return
    for number, sample in enumerate(samples, start=1):
        yield f"{name}, sample {number}", sample


def _long_text(first: Line, rest: Iterator[Line], name: str) -> Any:
    """The value of a text of several lines."""
    following = list(rest)
    # Blank lines before it, so that a mistake is told with its line in the file.
    text = "\n" * (first[0] - 1) + first[1] + "".join(line for _, line in following)
    try:
        return parse_json(text, name)
    except DataError:
        second = next((line for _, line in following if line.strip()), "")
        if second.strip() and _is_json(second):
            # Lines, of which the first is broken.
            parse_json(first[1], _where(name, first[0]))
        raise


def _is_json(text: str) -> bool:
    try:
        parse_json(text, "")
    except DataError:
        return False
    return True


def samples_in(value: Any) -> list[Any] | None:
    """The samples that a JSON text holds; None where it is a sample itself."""
    if isinstance(value, list):
        return None if looks_like_turns(value) else value
    if not isinstance(value, dict) or fits(value):
        return None
    for name in CONTAINERS:
        if isinstance(value.get(name), list):
            return list(value[name])
    lists = [
        v for v in value.values() if isinstance(v, list) and v and isinstance(v[0], dict | list)
    ]
    if len(lists) == 1:
        return list(lists[0])
    return _rows_of_columns(value)


def _rows_of_columns(value: dict[str, Any]) -> list[Any] | None:
    """Rows of an object of columns, as `datasets` and pandas write tables."""
    columns = {k: list(v.values()) if isinstance(v, dict) else v for k, v in value.items()}
    if not columns or not all(isinstance(column, list) for column in columns.values()):
        return None
    if len({len(column) for column in columns.values()}) > 1:
        return None
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _where(name: str, number: int) -> str:
    return f"{name}, line {number}"
