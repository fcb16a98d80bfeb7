"""Which comparisons a run belongs to, as their files say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qwen_ui import visits
from qwen_ui.compare.comparison import COMPARISON_FILE, comparisons_folder
from qwen_ui.files import read_json

_Version = tuple[int, int]
_read: dict[Path, tuple[_Version, dict[str, list[str]]]] = {}
_lock = threading.Lock()


def comparisons_with(run: str) -> list[str]:
    """Names of the comparisons that this run is a member of, or finds a rate for."""
    return [
        file.parent.name
        for file, runs in _all_runs()
        if run in runs["entries"] or run in runs["searches"]
    ]


def comparison_members() -> dict[str, str]:
    """The comparison that each run is a member of, the last one where there are several."""
    return {
        run: file.parent.name
        for file, runs in _all_runs()
        if visits.is_own(file.parent)
        for run in runs["entries"]
    }


def _all_runs() -> Iterator[tuple[Path, dict[str, list[str]]]]:
    """Every comparison's file and its runs; a file is read again when it has changed."""
    found: dict[Path, tuple[_Version, dict[str, list[str]]]] = {}
    with _lock:
        for file in sorted(comparisons_folder().glob(f"*/{COMPARISON_FILE}")):
            try:
                about = file.stat()
            except OSError:
                continue  # removed meanwhile
            version = about.st_mtime_ns, about.st_size
            known = _read.get(file)
            runs = known[1] if known is not None and known[0] == version else _runs_of(file)
            found[file] = version, runs
        _read.clear()
        _read.update(found)
    return iter([(file, runs) for file, (_, runs) in found.items()])


def _runs_of(file: Path) -> dict[str, list[str]]:
    record = read_json(file)
    return {key: _names(record.get(key)) for key in ("entries", "searches")}


def _names(entries: Any) -> list[str]:
    """The runs that are named in a list; what is damaged in it names none."""
    named = [entry.get("run") for entry in entries or () if isinstance(entry, dict)]
    return [run for run in named if isinstance(run, str)]
