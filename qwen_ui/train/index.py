"""A small index over all run folders, so that a list of a thousand runs is read in a moment.

It holds nothing of its own: a row is made anew whenever its folder's files have changed (events
are read on from where the row had come to), and a missing, old or broken index is built again.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from qwen_ui.train.digest import Glance
from qwen_ui.train.events import FILE_NAME as EVENTS
from qwen_ui.train.events import log_size, read_events
from qwen_ui.train.folders import run_names, status_of
from qwen_ui.train.status import FILE_NAME as STATUS
from qwen_ui.train.status import read_json, recorded_status

INDEX = ".index.sqlite"
META = "meta.json"
SCHEMA = 1
_TABLE = (
    "CREATE TABLE IF NOT EXISTS runs "
    "(run TEXT PRIMARY KEY, version TEXT, offset INTEGER, glance TEXT, record TEXT)"
)


def glances(runs: Path) -> list[dict[str, Any]]:
    """A record of every run in the folder `runs`, the newest first; see `_record` for its keys."""
    if not runs.is_dir():
        return []
    try:
        with _open(runs) as index:
            return _refreshed(index, runs)
    except sqlite3.DatabaseError:
        # Not ours to mend: everything in it can be read from the folders.
        for suffix in ("", "-wal", "-shm"):
            (runs / f"{INDEX}{suffix}").unlink(missing_ok=True)
        with _open(runs) as index:
            return _refreshed(index, runs)


@contextmanager
def _open(runs: Path) -> Iterator[sqlite3.Connection]:
    """The index's connection; in memory where the folder cannot be written."""
    place = str(runs / INDEX) if os.access(runs, os.W_OK) else ":memory:"
    with closing(sqlite3.connect(place, timeout=10)) as index, index:
        index.execute("PRAGMA journal_mode=WAL")
        if index.execute("PRAGMA user_version").fetchone()[0] != SCHEMA:
            index.execute("DROP TABLE IF EXISTS runs")
            index.execute(f"PRAGMA user_version={SCHEMA}")
        index.execute(_TABLE)
        yield index


def _refreshed(index: sqlite3.Connection, runs: Path) -> list[dict[str, Any]]:
    rows = "SELECT run, version, offset, glance, record FROM runs"
    known = {row[0]: row[1:] for row in index.execute(rows)}
    found = []
    for name in run_names():
        folder = runs / name
        version = _version(folder)
        if version is None:
            continue
        row = known.pop(name, None)
        if row is None or row[0] != version or not _is_over(row[3]):
            row = _read(folder, row)
            index.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?)", (name, *row))
        found.append(json.loads(row[3]))
    index.executemany("DELETE FROM runs WHERE run = ?", [(name,) for name in known])
    return found


def _is_over(record: str) -> bool:
    return bool(json.loads(record)["over"])


def _version(folder: Path) -> str | None:
    """Changes when one of the files does that a record is made of; None where there is no run."""
    parts = []
    for name in (STATUS, EVENTS, META):
        try:
            stat = (folder / name).stat()
            parts.append(f"{stat.st_size}.{stat.st_mtime_ns}.{stat.st_ino}")
        except OSError:
            parts.append("-")
    return None if parts[0] == "-" else ":".join(parts)


def _read(folder: Path, row: Any) -> tuple[str, int, str, str]:
    """The row of this run, going on from the one that is known."""
    status = status_of(folder)
    version = _version(folder) or ""
    glance, offset = Glance(), 0
    if row is not None and row[1] <= log_size(folder):
        glance, offset = Glance(**json.loads(row[2])), row[1]
    events, offset = read_events(folder, offset)
    for event in events:
        glance.add(event)
    record = _record(folder, glance)
    record |= {"status": status.status, "reason": status.reason, "over": status.over}
    return version, offset, json.dumps(asdict(glance)), json.dumps(record)


def _record(folder: Path, glance: Glance) -> dict[str, Any]:
    """What a list of runs may show, filter and sort by."""
    status, spec = recorded_status(folder), read_json(folder / "spec.json")
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
        "model": spec.get("model") or "",
        "plan": plan.get("name") or "",
        "data": Path(str(spec.get("data") or "")).name,
        "learning_rate": glance.start.get("learning_rate") or spec.get("learning_rate"),
        "trainable": glance.start.get("trainable_parameters"),
        "device": glance.start.get("device"),
        "elapsed": glance.elapsed,
        "tokens": glance.tokens,
        "peak_bytes": glance.peak_bytes,
        "created": status.created,
    }
