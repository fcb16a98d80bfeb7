"""Rows of Parquet and Arrow files, a few at a time: one of few kB may hold gigabytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qwen_ui.errors import DataError

# Rows that are unpacked together.
ROWS_AT_A_TIME = 64
Rows = Iterator[tuple[str, Any]]


def parquet_rows(path: Path) -> Rows:
    """(where, row) of a Parquet file."""
    import pyarrow.parquet  # noqa: PLC0415  slow, and needed only here

    def batches() -> Iterator[Any]:
        with pyarrow.parquet.ParquetFile(path) as file:
            # Where memory is limited a thread that cannot begin hides what is wrong.
            yield from file.iter_batches(batch_size=ROWS_AT_A_TIME, use_threads=False)

    return _rows_of(batches(), path, "Parquet")


def arrow_rows(path: Path) -> Rows:
    """(where, row) of a file in Arrow's file or stream format; `datasets` saves in the latter."""
    import pyarrow  # noqa: PLC0415  slow, and needed only here

    options = pyarrow.ipc.IpcReadOptions(use_threads=False)

    def batches() -> Iterator[Any]:
        with pyarrow.OSFile(str(path)) as file:
            is_file = file.read(6) == b"ARROW1"
            file.seek(0)
            if is_file:
                opened = pyarrow.ipc.open_file(file, options=options)
                yield from (opened.get_batch(i) for i in range(opened.num_record_batches))
            else:
                yield from pyarrow.ipc.open_stream(file, options=options)

    return _rows_of(batches(), path, "Arrow")


def _rows_of(batches: Iterator[Any], path: Path, what: str) -> Rows:
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


def without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a columnar file without what its columns add: keys that only other rows have."""
    return {name: _bare(value) for name, value in row.items()}


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _bare(v) for k, v in value.items() if v is not None or k == "content"}
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return value
