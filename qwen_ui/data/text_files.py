"""The text of a file: unpacked, split at newlines alone, decoded from UTF-8 or UTF-16."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from qwen_ui.errors import DataError

# Of a line; a long book is 5 MiB.
MAX_LINE_BYTES = 32 * 1024**2
UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


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
_BROKEN = (OSError, EOFError, lzma.LZMAError, zlib.error)


def suffixes_of(path: Path) -> tuple[str, str]:
    """(format, compression) by the name: `a.jsonl.gz` is (".jsonl", ".gz")."""
    suffix = path.suffix.lower()
    if suffix not in COMPRESSIONS:
        return suffix, ""
    return Path(path.stem).suffix.lower(), suffix


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


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
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


def read_document(path: Path, most: int | None) -> str:
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
