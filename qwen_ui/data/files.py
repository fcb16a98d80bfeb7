"""Data files of any common form -> values, each with its place for messages.

`FORMATS` is the one list of what can be read. A file whose content is not what its name says is
refused with a sentence on what it is.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from qwen_ui.data.json_values import read_json_values
from qwen_ui.data.tables import read_table
from qwen_ui.errors import DataError

MAX_FILE_BYTES = 8 * 1024**3
# Of a document no more is read where its beginning is asked for.
HEAD_BYTES = 256 * 1024
SNIFFED_BYTES = 512
# Of a line of text; a long book is 5 MiB.
MAX_LINE_BYTES = 32 * 1024**2
# Rows of a columnar file that are unpacked together: one of few kB may hold gigabytes.
ROWS_AT_A_TIME = 64

Values = Iterable[tuple[str, Any]]


def _open_zstd(path: Path) -> BinaryIO:
    import pyarrow  # noqa: PLC0415  slow, and needed only here

    stream = pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd")
    return io.BufferedReader(stream)


COMPRESSIONS: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": _open_zstd,
}
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
UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_BROKEN = (OSError, EOFError, lzma.LZMAError, zlib.error)


def suffixes_of(path: Path) -> tuple[str, str]:
    """(format, compression) by the name: `a.jsonl.gz` is (".jsonl", ".gz")."""
    suffix = path.suffix.lower()
    if suffix not in COMPRESSIONS:
        return suffix, ""
    return Path(path.stem).suffix.lower(), suffix


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
        text = _document(path, HEAD_BYTES if beginning else None)
        if text.strip():
            yield path.name, text
    else:
        yield from TEXT_FORMATS[kind](_lines(path), path.name)


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


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The bytes of a file, unpacked."""
    opened = COMPRESSIONS.get(suffixes_of(path)[1])
    try:
        with opened(path) if opened else path.open("rb") as file:
            yield file
    except _BROKEN as error:
        what = "unpacked" if opened else "read"
        raise DataError(
            f"'{path.name}' cannot be {what} ({error}). Download or copy it again."
        ) from error


def _bytes(path: Path) -> Iterator[bytes]:
    """The lines of a file, split at newlines alone."""
    number = 0
    with _opened(path) as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise DataError(
                    f"{path.name}, line {number}: it is longer than {MAX_LINE_BYTES >> 20} MiB. "
                    "Split the sample."
                )
            yield line


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number, text) of every line, counted from 1.

    `str.splitlines` would also split at U+2028 and U+0085, which JSON allows inside a string.
    """
    lines = _bytes(path)
    first = next(lines, b"")
    if first[:2] in UTF16:
        # Its newlines are two bytes, so that lines are found after it is decoded.
        text = _decoded(b"".join([first, *lines]), path.name, 1)
        yield from enumerate(io.StringIO(text, newline="\n"), start=1)
        return
    number = 1
    yield number, _decoded(first, path.name, number)
    for number, line in enumerate(lines, start=2):
        yield number, _decoded(line, path.name, number)


def _document(path: Path, most: int | None) -> str:
    """A text, or as many of its whole lines as fit in so many bytes; of one line its beginning."""
    with _opened(path) as file:
        data = file.read() if most is None else file.read(most)
        whole = most is None or not file.read(1)
    if whole:
        return _decoded(data, path.name, 1)
    wide = UTF16.get(data[:2])
    end = data.rfind("\n".encode(wide or "utf-8")) if not wide else -1
    if end >= 0:
        return _decoded(data[: end + 1], path.name, 1)
    # Cut inside a line: what is left of its last character is left out.
    part = data[: len(data) // 2 * 2] if wide else data[: _last_whole(data)]
    return _decoded(part, path.name, 1)


def _last_whole(data: bytes) -> int:
    """How many bytes of UTF-8 text are whole characters."""
    begins = next((n for n in range(1, 5) if data[-n:][:1] and data[-n] & 0xC0 != 0x80), 1)
    first = data[-begins]
    needs = 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    return len(data) - begins if needs > begins else len(data)


def _decoded(data: bytes, name: str, first_line: int) -> str:
    """UTF-8, or UTF-16 with its mark; a byte-order mark is no text."""
    wide = UTF16.get(data[:2])
    try:
        return data[2:].decode(wide) if wide else data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        raise DataError(f"{name}, line {line}: not UTF-8. Save the file as UTF-8.") from error


def _parquet(path: Path) -> Values:
    import pyarrow.parquet  # noqa: PLC0415  slow, and needed only here

    def batches() -> Iterator[Any]:
        with pyarrow.parquet.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=ROWS_AT_A_TIME)

    return _arrow_rows(batches(), path, "Parquet")


def _arrow(path: Path) -> Values:
    """Arrow's file format, or its stream format, in which `datasets` saves."""
    import pyarrow  # noqa: PLC0415  slow, and needed only here

    def batches() -> Iterator[Any]:
        with pyarrow.OSFile(str(path)) as file:
            is_file = file.read(6) == b"ARROW1"
            file.seek(0)
            if is_file:
                opened = pyarrow.ipc.open_file(file)
                yield from (opened.get_batch(i) for i in range(opened.num_record_batches))
            else:
                yield from pyarrow.ipc.open_stream(file)

    return _arrow_rows(batches(), path, "Arrow")


def _arrow_rows(batches: Iterator[Any], path: Path, what: str) -> Values:
    import pyarrow  # noqa: PLC0415  slow, and needed only here

    number = 0
    try:
        for batch in batches:
            for start in range(0, batch.num_rows, ROWS_AT_A_TIME):
                for row in _values_of(batch.slice(start, ROWS_AT_A_TIME), path.name, number + 1):
                    number += 1
                    yield f"{path.name}, row {number}", without_nulls(row)
    except MemoryError:
        raise  # Arrow's own is both; the file may be whole
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"'{path.name}' is not a readable {what} file ({error}).") from error


def _values_of(rows: Any, name: str, first: int) -> list[dict[str, Any]]:
    """Rows as Python's values, which do not hold all that Arrow's do."""
    try:
        found: list[dict[str, Any]] = rows.to_pylist()
    except (ValueError, OverflowError) as error:
        last = first + rows.num_rows - 1
        where = f"row {first}" if first == last else f"rows {first} to {last}"
        raise DataError(
            f"{name}, {where}: a value cannot be read ({error}). Write the text as "
            "UTF-8, and leave other columns out."
        ) from error
    return found


BINARY_FORMATS: dict[str, Callable[[Path], Values]] = {".parquet": _parquet, ".arrow": _arrow}
FORMATS = (*TEXT_FORMATS, *BINARY_FORMATS, DOCUMENT)
# What a data file's name may end in.
DATA_SUFFIXES = (*FORMATS, *COMPRESSIONS)


def without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a columnar file without what its columns add: keys that only other rows have."""
    return {name: _bare(value) for name, value in row.items()}


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _bare(v) for k, v in value.items() if v is not None or k == "content"}
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return value
