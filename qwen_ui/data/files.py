"""Data files of any common form -> values, each with its place for messages.

`FORMATS` is the one list of what can be read. A file whose content is not what its name says is
refused with a sentence on what it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from qwen_ui.data.columnar import arrow_rows, parquet_rows
from qwen_ui.data.json_values import read_json_values
from qwen_ui.data.tables import read_table
from qwen_ui.data.text_files import COMPRESSIONS, UTF16, read_document, read_lines, suffixes_of
from qwen_ui.errors import DataError

MAX_FILE_BYTES = 8 * 1024**3
# Of a document no more is read where its beginning is asked for.
HEAD_BYTES = 256 * 1024
SNIFFED_BYTES = 512

Values = Iterable[tuple[str, Any]]


DOCUMENT = ".txt"
TEXT_FORMATS: dict[str, Callable[[Iterator[tuple[int, str]], str], Values]] = {
    ".jsonl": read_json_values,
    ".ndjson": read_json_values,
    ".json": read_json_values,
    ".csv": read_table,
    ".tsv": read_table,
}
# What the first bytes of a file say that it is, what to do, and the endings that it may have.
SIGNATURES: tuple[tuple[bytes, str, frozenset[str]], ...] = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer, not the data itself. Fetch the data with `git lfs pull`",
        frozenset(),
    ),
    (
        b"PK\x03\x04",
        "a zip archive (a spreadsheet is one, too). Unpack it, or save the spreadsheet as .csv",
        frozenset(),
    ),
    (b"PAR1", "a Parquet file. Let its name end in .parquet", frozenset({".parquet"})),
    (b"ARROW1", "an Arrow file. Let its name end in .arrow", frozenset({".arrow"})),
    (
        b"\x1f\x8b",
        "compressed by gzip. Let its name end in .gz, as in data.jsonl.gz",
        frozenset({".gz"}),
    ),
    (b"BZh91AY&SY", "compressed by bzip2. Let its name end in .bz2", frozenset({".bz2"})),
    (b"\xfd7zXZ", "compressed by xz. Let its name end in .xz", frozenset({".xz"})),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd. Let its name end in .zst", frozenset({".zst"})),
    (b"\xd0\xcf\x11\xe0", "a file of an old Office program. Save it as .csv", frozenset()),
    (b"%PDF", "a PDF. Save its text as .txt", frozenset()),
    (b"SQLite format 3", "a database. Export a table as .csv", frozenset()),
    (b"\x89HDF", "an HDF5 file. Export it as .parquet", frozenset()),
    (
        b"\x80\x04\x95",
        "a pickle, which is never read: it runs what it holds. Save it as .jsonl",
        frozenset(),
    ),
)
WEB_PAGE = (b"<!doctype html", b"<html")


def is_document(path: Path) -> bool:
    """Whether a file is one text to be cut, not samples."""
    return suffixes_of(path)[0] == DOCUMENT


def unpacked_size(path: Path) -> float:
    """Bytes of a file's text; of a packed one nobody knows, and it may be any number."""
    kind, compression = suffixes_of(path)
    packed = compression or kind in BINARY_FORMATS
    return math.inf if packed else path.stat().st_size


def read_values(path: Path, *, beginning: bool = False) -> Iterator[tuple[str, Any]]:
    """(where, value) of every sample of a file, read as they are asked for.

    Args:
        beginning: whether the beginning is enough, of a document.

    Raises:
        DataError: the file is of no such format, or a part of it cannot be read.
    """
    kind, compression = suffixes_of(path)
    if kind not in FORMATS or (compression and kind in BINARY_FORMATS):
        raise DataError(
            f"'{path.name}' ends in '{path.suffix.lower()}', which is not supported. Use "
            f"{', '.join(FORMATS)}; those of text also with {', '.join(COMPRESSIONS)}."
        )
    _check_content(path, {kind, compression})
    if kind in BINARY_FORMATS:
        yield from BINARY_FORMATS[kind](path)
    elif kind == DOCUMENT:
        text = read_document(path, HEAD_BYTES if beginning else None)
        if text.strip():
            yield path.name, text
    else:
        yield from TEXT_FORMATS[kind](read_lines(path), path.name)


def _check_content(path: Path, endings: set[str]) -> None:
    """Refuse a file that is not what its name says."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise DataError(
            f"'{path.name}' is larger than 8 GiB. Split it, or use a `datasets` folder."
        )
    with path.open("rb") as file:
        head = file.read(SNIFFED_BYTES)
    for signature, what, allowed in SIGNATURES:
        if head.startswith(signature) and not allowed & endings:
            raise DataError(f"'{path.name}' is {what}.")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(WEB_PAGE):
        raise DataError(
            f"'{path.name}' is a web page, not data. Download the file itself (its raw address)."
        )
    if endings & BINARY_FORMATS.keys() or endings & COMPRESSIONS.keys():
        return
    if b"\0" in head and head[:2] not in UTF16:
        raise DataError(f"'{path.name}' is not text. Save it as text in UTF-8, or as .parquet.")


BINARY_FORMATS: dict[str, Callable[[Path], Values]] = {
    ".parquet": parquet_rows,
    ".arrow": arrow_rows,
}
FORMATS = (*TEXT_FORMATS, *BINARY_FORMATS, DOCUMENT)
# What a data file's name may end in.
DATA_SUFFIXES = (*FORMATS, *COMPRESSIONS)
