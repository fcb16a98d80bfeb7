"""Files that several processes share: written as a whole, and locks that end with their holder."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout


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


def parse_json_file(file: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not JSON.
    """
    # From bytes: json finds out by itself whether they are UTF-8, with a mark or without, or
    # UTF-16, which Windows' tools write.
    return json.loads(file.read_bytes())


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object; {} where there is no file or it holds none."""
    try:
        found = parse_json_file(file)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def locked(file: Path, *, wait: float | None = None) -> Iterator[bool]:
    """Hold the lock of this file; threads and processes exclude each other.

    The system drops the lock when this process ends, however it ends; the file itself stays.

    Args:
        file: made where there is none.
        wait: seconds to wait for another holder; None waits for as long as it takes.

    Yields:
        True with the lock held, False where another still holds it.
    """
    # A soft lock, the library's fallback where a file system has no flock, outlives its process.
    lock = FileLock(file, mode=0o644, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire(timeout=-1 if wait is None else wait)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
