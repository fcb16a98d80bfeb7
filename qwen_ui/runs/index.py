"""A small index over all run folders, so that a list of a thousand runs is read in a moment.

It holds nothing of its own: a row is made anew whenever its folder's files have changed (events
are read on from where the row had come to), and a missing, old or broken index is built again.

Every row bears the number of the change that wrote it, so that a page that has seen the list up to
one number asks for what came after it alone.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qwen_ui.files import read_json
from qwen_ui.runs.events import FILE_NAME as EVENTS
from qwen_ui.runs.events import log_size, read_events
from qwen_ui.runs.fold import Glance
from qwen_ui.runs.folder import run_names, status_of
from qwen_ui.runs.spec import recorded_settings
from qwen_ui.runs.status import FILE_NAME as STATUS
from qwen_ui.runs.status import recorded_status

INDEX = ".index.sqlite"
META = "meta.json"
SCHEMA = 2
_TABLES = (
    "CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, version TEXT, offset INTEGER, "
    "glance TEXT, record TEXT, over INTEGER, change INTEGER)",
    # Which index this is: numbers of another one say nothing here.
    "CREATE TABLE IF NOT EXISTS name (name TEXT)",
)
_INSERT = "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new in the list.

    Attributes:
        seen: what to ask with the next time.
        whole: `records` are all there are, not the changed ones alone.
        records: of runs that changed, the newest run first.
        total: how many runs there are.
    """

    seen: str
    whole: bool
    records: list[dict[str, Any]]
    total: int


def glances(runs: Path) -> list[dict[str, Any]]:
    """A record of every run in the folder `runs`, the newest first; see `_record` for its keys."""
    return changes(runs).records


def changes(runs: Path, seen: str = "") -> Changes:
    """The records that changed since `seen` (of the answer before), all of them where it is old."""
    if not runs.is_dir():
        return Changes("", True, [], 0)
    try:
        with _open(runs) as index:
            return _refreshed(index, runs, seen)
    except sqlite3.DatabaseError:
        # Not ours to mend: everything in it can be read from the folders.
        for suffix in ("", "-wal", "-shm"):
            (runs / f"{INDEX}{suffix}").unlink(missing_ok=True)
        with _open(runs) as index:
            return _refreshed(index, runs, seen)


@contextmanager
def _open(runs: Path) -> Iterator[sqlite3.Connection]:
    """The index's connection; in memory where the folder cannot be written."""
    place = str(runs / INDEX) if os.access(runs, os.W_OK) else ":memory:"
    with closing(sqlite3.connect(place, timeout=10)) as index, index:
        index.execute("PRAGMA journal_mode=WAL")
        if index.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
            for table in ("runs", "name"):
                index.execute(f"DROP TABLE IF EXISTS {table}")
            index.execute(f"PRAGMA user_version={SCHEMA}")
        for table in _TABLES:
            index.execute(table)
        if index.execute("SELECT name FROM name").fetchone() is None:
            index.execute("INSERT INTO name VALUES (?)", (secrets.token_hex(4),))
        yield index


def _refreshed(index: sqlite3.Connection, runs: Path, seen: str) -> Changes:
    rows = index.execute("SELECT run, version, over, offset, glance FROM runs")
    known = {row[0]: row[1:] for row in rows}
    change = index.execute("SELECT max(change) FROM runs").fetchone()[0] or 0
    total = 0
    for name in run_names():
        row, folder = known.get(name), runs / name
        version = _version(folder)
        if version is None:
            continue
        known.pop(name, None)
        total += 1
        # Whether its process lives stands in no file: a run that goes on is looked at every time.
        if row is None or row[0] != version or (not row[1] and status_of(folder).over):
            change += 1
            index.execute(_INSERT, (name, *_read(folder, row), change))
    index.executemany("DELETE FROM runs WHERE run = ?", [(name,) for name in known])
    return _answer(index, seen, change, total)


def _answer(index: sqlite3.Connection, seen: str, change: int, total: int) -> Changes:
    name = index.execute("SELECT name FROM name").fetchone()[0]
    known, _, number = seen.partition(":")
    after = int(number) if known == name and number.isdecimal() else -1
    found = index.execute("SELECT record FROM runs WHERE change > ? ORDER BY run DESC", (after,))
    records = [json.loads(row[0]) for row in found]
    return Changes(f"{name}:{change}", after < 0, records, total)


def _version(folder: Path) -> str | None:
    """Changes when one of the files does that a record is made of; None where there is no run."""
    parts = []
    for name in (STATUS, EVENTS, META):
        try:
            stat = os.stat(f"{folder}/{name}")
            parts.append(f"{stat.st_size}.{stat.st_mtime_ns}.{stat.st_ino}")
        except OSError:
            parts.append("-")
    return None if parts[0] == "-" else ":".join(parts)


def _read(folder: Path, row: Any) -> tuple[str, int, str, str, int]:
    """The row of this run, going on from the one that is known."""
    status = status_of(folder)
    # Before anything is read: what changes while we read is read again the next time.
    version = _version(folder) or ""
    glance, offset = Glance(), 0
    if row is not None and row[2] <= log_size(folder):
        glance, offset = Glance(**json.loads(row[3])), row[2]
    events, offset = read_events(folder, offset)
    for event in events:
        glance.add(event)
    record = _record(folder, glance)
    record |= {"status": status.status, "reason": status.reason, "over": status.over}
    return version, offset, json.dumps(asdict(glance)), json.dumps(record), int(status.over)


def _record(folder: Path, glance: Glance) -> dict[str, Any]:
    """What a list of runs may show, filter and sort by."""
    status, settings = recorded_status(folder), recorded_settings(folder)
    plan, meta = read_json(folder / "plan.json"), read_json(folder / META)
    return {
        "run": folder.name,
        "name": meta.get("name") or "",
        "tags": meta.get("tags") or [],
        "note": meta.get("note") or "",
        "step": glance.step or status.step,
        "steps": status.steps,
        "loss": glance.loss,
        "eval_before": glance.eval_before,
        "eval_after": glance.eval_after,
        "best_eval": glance.best_eval,
        "model": settings.get("model") or "",
        "plan": plan.get("name") or "",
        "data": Path(str(settings.get("data") or "")).name,
        "learning_rate": glance.start.get("learning_rate") or settings.get("learning_rate"),
        "trainable": glance.start.get("trainable_parameters"),
        "device": glance.start.get("device"),
        "elapsed": glance.elapsed,
        "tokens": glance.tokens,
        "peak_bytes": glance.peak_bytes,
        "created": status.created,
    }
