"""Tables of text (CSV and its relatives) -> rows; the delimiter is found by the header."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from typing import Any

from qwen_ui.data.shapes import fits, listed
from qwen_ui.errors import DataError

MAX_CELL_BYTES = 64 * 1024**2
DELIMITERS = (",", ";", "\t", "|")
# Excel's own first line, which names the delimiter.
EXCEL = "sep="


def read_table(lines: Iterator[tuple[int, str]], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, row) of every row; a blank cell is "".

    Args:
        lines: (number, text) of every line of the file, its end included.
        name: of the file, for messages.

    Raises:
        DataError: a row has more or fewer cells than the header, or a quote is not closed.
    """
    csv.field_size_limit(MAX_CELL_BYTES)
    before = 0
    number, first = next(((n, text) for n, text in lines if text.strip()), (0, ""))
    if first.lower().startswith(EXCEL) and len(first.strip()) == len(EXCEL) + 1:
        delimiter = first[len(EXCEL)]
        number, first = next(lines, (0, ""))
    else:
        delimiter = _delimiter(first)
    if not first:
        return
    header = _cells(first, delimiter)
    spaced = len(header) > 1 and all(column.startswith(" ") for column in header[1:])
    columns = _checked([column.strip() for column in header], f"{name}, line {number}")
    # Strict: a quote that is never closed would otherwise swallow the rest of the file.
    reader = csv.reader(
        (text for _, text in lines), delimiter=delimiter, strict=True, skipinitialspace=spaced
    )
    try:
        for cells in reader:
            where = f"{name}, line {number + before + 1}"
            before = reader.line_num
            if not cells:
                continue
            if len(cells) != len(columns):
                raise DataError(
                    f"{where}: it has {len(cells)} cells and the header {len(columns)}. Put cells "
                    f"with a {_spoken(delimiter)} or a line break in double quotes."
                )
            yield where, dict(zip(columns, cells, strict=True))
    except csv.Error as error:
        where = f"{name}, line {number + before + 1}"
        raise DataError(
            f"{where}: not readable as a table ({error}). Check its quotes: one inside a quoted "
            "cell is written twice."
        ) from error


def _delimiter(header: str) -> str:
    """The delimiter that gives a header whose columns are known, else the most columns."""

    def goodness(delimiter: str) -> tuple[bool, int]:
        columns = _cells(header, delimiter)
        return fits(dict.fromkeys((column.strip() for column in columns), "[]")), len(columns)

    return max(DELIMITERS, key=goodness)


def _cells(header: str, delimiter: str) -> list[str]:
    return next(csv.reader([header.rstrip("\r\n")], delimiter=delimiter), [])


def _checked(columns: list[str], where: str) -> list[str]:
    twice = [column for column, count in Counter(columns).items() if column and count > 1]
    if twice:
        raise DataError(f"{where}: the header names {listed(twice)} twice. Rename one.")
    return columns


def _spoken(delimiter: str) -> str:
    return {"\t": "tab", ",": "comma", ";": "semicolon"}.get(delimiter, f"'{delimiter}'")
