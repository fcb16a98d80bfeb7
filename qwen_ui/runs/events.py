"""The event log of a run: append-only, one JSON object per line, readable at any time.

A line is written by one `write` call and ends in a newline, and readers stop at the last newline:
a record that is still being written, or that a crash or a full disk cut short, is never seen. A
writer that opens the file again takes a torn last line away (or closes it, where only the newline
is missing).
"""

from __future__ import annotations

import errno
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from qwen_ui.runs.event_fields import is_event

FILE_NAME = "events.jsonl"
READ_BYTES = 256 * 1024  # of records that are still in the processor's cache when they are folded
DURABLE = frozenset({"start", "eval", "sample", "end"})

Event = dict[str, Any]


class EventLog:
    """The writer of a run's events; there is one at a time.

    Raises:
        OSError: the disk is full or the folder cannot be written. What was recorded before stays
            whole.
    """

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / FILE_NAME, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        _repair(self._file)

    def append(self, name: str, **fields: Any) -> None:
        """Record one event, stamped with the wall clock (seconds since the epoch)."""
        line = (encode({"event": name, "time": round(time.time(), 3), **fields}) + "\n").encode()
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
        except OSError:
            os.ftruncate(self._file, size)
            raise
        if written < len(line):
            os.ftruncate(self._file, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if name in DURABLE:
            os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


def encode(record: Event) -> str:
    """JSON that every reader takes: what is not finite becomes null (JSON has no NaN).

    Integers of more than 64 bits are read back as floats (orjson).
    """
    return json.dumps(_finite(record), ensure_ascii=False, allow_nan=False)


def read_events(folder: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The whole events from this byte on, and the offset to go on from.

    A line that is no event is passed over. A file that is not there yet has no events.
    """
    events: list[Event] = []
    end = offset
    for part, so_far, _ in read_parts(folder, offset):
        events += part
        end = so_far
    return events, end


def read_parts(folder: Path, offset: int = 0) -> Iterator[tuple[list[Event], int, int]]:
    """As `read_events`, some at a time: (events, the offset after them, lines passed over).

    Whoever folds each part before asking for the next one takes half the time.
    """
    for lines in _chunks(folder / FILE_NAME, offset):
        events = _parse_all(lines)
        offset += len(lines)
        yield events, offset, lines.count(b"\n") - len(events)


def _parse_all(lines: bytes) -> list[Event]:
    """Many lines at once are read faster, by orjson twice again; one that is no JSON costs time."""
    try:
        found = orjson.loads(b"[%b]" % lines[:-1].replace(b"\n", b","))
    except ValueError:
        found = []
    # A line that holds a comma between two objects, or none at all, is no event of ours.
    if len(found) != lines.count(b"\n") or not all(map(is_event, found)):
        return [event for event in map(parse, lines.split(b"\n")) if event is not None]
    return found


def parse(line: bytes) -> Event | None:
    try:
        event = orjson.loads(line)
    except ValueError:
        return None
    return event if is_event(event) else None


def log_size(folder: Path) -> int:
    """Bytes of the log: a cheap version number, for it only grows."""
    try:
        return (folder / FILE_NAME).stat().st_size
    except FileNotFoundError:
        return 0


def _chunks(file: Path, offset: int) -> Iterator[bytes]:
    """Lines that have their newline, several at a time; memory stays bounded."""
    try:
        handle = file.open("rb")
    except (FileNotFoundError, IsADirectoryError):
        return
    with handle:
        handle.seek(offset)
        rest: list[bytes] = []
        while chunk := handle.read(READ_BYTES):
            whole, newline, last = chunk.rpartition(b"\n")
            if not newline:
                rest.append(chunk)
                continue
            yield b"".join((*rest, whole, newline))
            rest = [last]


def _repair(file: int) -> None:
    size = os.fstat(file).st_size
    tail, start = b"", size
    while start > 0 and b"\n" not in tail:
        step = min(start, 64 * 1024)
        start -= step
        tail = os.pread(file, step, start) + tail
    torn = tail[tail.rfind(b"\n") + 1 :]
    if not torn:
        return
    if parse(torn) is not None:
        os.write(file, b"\n")
    else:
        os.ftruncate(file, size - len(torn))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value
