"""Files that several processes share: written as a whole, and locks that end with their holder."""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from qwen_ui.errors import UserError

# Nothing that we read is nested a tenth as deep. json raises RecursionError from about 1,000 levels
# on, its writer and orjson's (254 levels) on what could just be read.
MOST_DEPTH = 100
# Of a file of our own that is read as a whole; the largest are plans, of up to 16 MiB.
MOST_BYTES = 64 * 1024**2
_NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
_TOO_DEEP = f"nested deeper than {MOST_DEPTH} levels"


@contextmanager
def replaced(file: Path) -> Iterator[Path]:
    """Write a new version of a file at the yielded path; it takes the file's place at the end.

    A reader sees the old content or the new one, never a part. Where the writing fails, the file
    stays as it was and the part is removed.

    Raises:
        OSError: the disk is full, or nothing can be written there.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        yield part
        os.replace(part, file)
    except BaseException:
        # The first error is the one to tell, even where the part cannot be removed either.
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def replace_text(file: Path, text: str) -> None:
    """Replace a file's content by this text, in UTF-8; see `replaced`."""
    with replaced(file) as part:
        part.write_text(text, encoding="utf-8")


def write_json(file: Path, record: Any) -> None:
    """Replace a file's content by this JSON; see `replaced`."""
    replace_text(file, json.dumps(record, ensure_ascii=False, indent=1))


def parse_json(text: str | bytes) -> Any:
    """The value that JSON text means; of bytes, their encoding is found out (UTF-8, 16 or 32).

    Raises:
        ValueError: it is not JSON, or is nested deeper than `MOST_DEPTH`.
    """
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    check_depth(found)
    return found


def parse_json_file(file: Path) -> Any:
    """What a JSON file holds; see `parse_json`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON, or is nested deeper than `MOST_DEPTH`.
    """
    return parse_json(file.read_bytes())


def check_depth(value: Any) -> None:
    """Refuse a parsed value whose lists and objects are nested deeper than `MOST_DEPTH`.

    Raises:
        ValueError: it is.
    """
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MOST_DEPTH):
        if not level:
            return
        inside = (part.values() if isinstance(part, dict) else part for part in level)
        level = [v for values in inside for v in values if isinstance(v, dict | list)]
    if level:
        raise ValueError(_TOO_DEEP)


def read_json(file: Path) -> dict[str, Any]:
    """`read_object`, {} where there is none."""
    return read_object(file) or {}


def read_object(file: Path) -> dict[str, Any] | None:
    """Read a JSON object of our own; None where there is no file or it holds none.

    Strict JSON alone: NaN, half a surrogate pair, deep nesting, what is no regular file or larger
    than `MOST_BYTES` count as none. Integers of more than 64 bits become floats.

    Raises:
        OSError: the disk fails, or the file may not be read.
    """
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_BYTES:
            return None
        found = orjson.loads(file.read_bytes())
        check_depth(found)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return found if isinstance(found, dict) else None


@contextmanager
def locked(file: Path, *, wait: float | None = None) -> Iterator[bool]:
    """Hold the lock of this file; threads and processes exclude each other.

    The system drops the lock when this process ends, however it ends; the file itself stays.

    Args:
        file: made where there is none.
        wait: seconds to wait for another holder; None waits for as long as it takes.

    Yields:
        True with the lock held, False where another still holds it.

    Raises:
        UserError: the file system has no locks.
    """
    # A soft lock, the library's fallback where a file system has no flock, outlives its process.
    lock = FileLock(file, mode=0o644, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(timeout=-1 if wait is None else wait)
    except Timeout:
        yield False
        return
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise UserError(
            f"The disk of '{file.parent}' has no locks (flock), which keep two workers out of one "
            "run. Point QWEN_UI_HOME at one that has."
        ) from error
    try:
        yield True
    finally:
        lock.release()
