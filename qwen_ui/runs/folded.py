"""A run's folder to its fold. A long run's is kept in a file, so that it is opened at once.

Reading 100,000 steps from their JSON takes the processor 0.2 s, from the file 0.03 s. The file
holds nothing of its own: it is made from the log, is passed over where it is not of this log, and
may be removed.
"""

from __future__ import annotations

import math
import zlib
from array import array
from contextlib import suppress
from pathlib import Path
from typing import cast

import orjson

from qwen_ui.files import replaced
from qwen_ui.runs.events import FILE_NAME as EVENTS
from qwen_ui.runs.events import log_size, read_parts
from qwen_ui.runs.fold import STEP_COLUMNS, Column, RunFold

FILE_NAME = ".fold"
WORTH_BYTES = 4 * 1024 * 1024  # of the log, that were read beyond what the file holds
_HEADING = b"qwen-ui fold 2\n"
_TAIL_BYTES = 4096  # before the offset; a log that has the same is the same log
_LISTS = ("evals", "samples", "movements", "grids", "machine", "trials", "logs")


def fold_from(folder: Path, offset: int = 0) -> tuple[RunFold, int]:
    """The fold of a run's events from this byte on, and the offset to go on from."""
    fold, begin = (None if offset else _kept(folder)) or (RunFold(), offset)
    end = begin
    for events, so_far, unreadable in read_parts(folder, begin):
        fold.add_all(events)
        fold.unreadable += unreadable
        end = so_far
    if not offset and end - begin >= WORTH_BYTES:
        # Where nothing can be written (another user's folder, a full disk) it is read again.
        with suppress(OSError):
            _keep(folder, fold, end)
    return fold, end


def fold_run(folder: Path) -> RunFold:
    """The fold of all of a run's events. To ask repeatedly, use `reader.reading`."""
    return fold_from(folder)[0]


def keep_fold(folder: Path) -> None:
    """Leave the fold of a run that ends in its file, if the run is long: whoever opens it first
    waits no longer than whoever opens it again."""
    # A worker ends all the same where its folder is gone, or on a disk that no longer answers.
    with suppress(OSError):
        if log_size(folder) >= WORTH_BYTES:
            fold_from(folder)


def _keep(folder: Path, fold: RunFold, offset: int) -> None:
    columns = {name: _packed(fold.columns[name]) for name in STEP_COLUMNS}
    about = {
        "offset": offset,
        "tail": _tail_of(folder, offset),
        "columns": [[name, kind, len(data)] for name, (kind, data) in columns.items()],
        "start": fold.start,
        "end": fold.end,
        "phase": fold.phase,
        "recorded": sorted(fold.recorded),
        "unreadable": fold.unreadable,
        **{name: getattr(fold, name) for name in _LISTS},
    }
    header = orjson.dumps(about)
    with replaced(folder / FILE_NAME) as part, part.open("wb") as file:
        file.write(_HEADING + len(header).to_bytes(8, "little") + header)
        for _, data in columns.values():
            file.write(data)


def _kept(folder: Path) -> tuple[RunFold, int] | None:
    """The fold in the file and the byte of the log that it goes to; None where there is none."""
    try:
        held = memoryview((folder / FILE_NAME).read_bytes())
    except OSError:
        return None
    begin = len(_HEADING) + 8
    if held[: len(_HEADING)] != _HEADING:
        return None
    data = begin + int.from_bytes(held[len(_HEADING) : begin], "little")
    try:
        about = orjson.loads(held[begin:data])
        if about["tail"] != _tail_of(folder, about["offset"]):
            return None
        columns = {}
        for name, kind, size in about["columns"]:
            columns[name] = _unpacked(kind, held[data : data + size])
            data += size
    except (ValueError, KeyError, TypeError, OverflowError):
        return None  # cut short, or of another version
    if tuple(columns) != STEP_COLUMNS or len({len(column) for column in columns.values()}) != 1:
        return None
    fold = RunFold(
        start=about["start"],
        end=about["end"],
        phase=about["phase"],
        columns=columns,
        recorded=set(about["recorded"]),
        unreadable=about["unreadable"],
        **{name: about[name] for name in _LISTS},
    )
    return fold, about["offset"]


def _tail_of(folder: Path, offset: int) -> int:
    """A checksum of what stands before this byte of the log."""
    with (folder / EVENTS).open("rb") as log:
        log.seek(max(0, offset - _TAIL_BYTES))
        return zlib.crc32(log.read(min(offset, _TAIL_BYTES)))


def _packed(column: Column) -> tuple[str, bytes]:
    """(kind, bytes) of a column: integers ("q"), floats ("d"), or floats with gaps as NaN ("g")."""
    if None in column:
        return "g", array("d", [math.nan if n is None else n for n in column]).tobytes()
    try:
        return "q", array("q", cast("list[int]", column)).tobytes()
    except (TypeError, OverflowError):  # a float among them, or beyond 64 bits
        return "d", array("d", cast("list[float]", column)).tobytes()


def _unpacked(kind: str, data: memoryview) -> Column:
    if kind == "q":
        return cast(Column, data.cast("q").tolist())
    values = data.cast("d").tolist()
    return [None if n != n else n for n in values] if kind == "g" else cast(Column, values)
