"""A small index of all run folders, so that a thousand runs are listed quickly.

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
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from qwen_ui.runs.annotation import FILE_NAME as ANNOTATION
from qwen_ui.runs.annotation import annotation_of
from qwen_ui.runs.current_status import status_of
from qwen_ui.runs.damage import damaged_files
from qwen_ui.runs.events import FILE_NAME as EVENTS
from qwen_ui.runs.events import log_size
from qwen_ui.runs.failure import reason_for
from qwen_ui.runs.folded import fold_from
from qwen_ui.runs.folder import run_names
from qwen_ui.runs.placement import CLAIM, PLACEMENT
from qwen_ui.runs.plan_record import PLAN_NAME, recorded_plan
from qwen_ui.runs.spec import SPEC_NAME, recorded_settings
from qwen_ui.runs.status import FILE_NAME as STATUS
from qwen_ui.runs.status import Status, recorded_status
from qwen_ui.runs.totals import RunTotals
from qwen_ui.visits import current_visit, is_own

INDEX = ".index.sqlite"
SCHEMA = 7
_TABLES = (
    "CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, version TEXT, offset INTEGER, "
    "totals TEXT, shown TEXT, over INTEGER, change INTEGER)",
    # Which index this is: numbers of another one say nothing here.
    "CREATE TABLE IF NOT EXISTS name (name TEXT)",
)
_INSERT = "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """What is new in the list.

    Attributes:
        seen: what to ask with the next time.
        whole: `rows` are all there are, not the changed ones alone.
        rows: of runs that changed, the newest run first.
        total: how many runs there are.
    """

    seen: str
    whole: bool
    rows: list[dict[str, Any]]
    total: int


def run_rows(runs: Path) -> list[dict[str, Any]]:
    """A row for every run in the folder `runs`, the newest first; see `_row` for its keys."""
    return changed_rows(runs).rows


def changed_rows(runs: Path, seen: str = "") -> ChangedRows:
    """The rows that changed since `seen` (of the answer before), all of them where it is old."""
    if not runs.is_dir():
        return ChangedRows("", True, [], 0)
    return _own(_all_changed(runs, seen), runs)


def _own(found: ChangedRows, runs: Path) -> ChangedRows:
    """The rows of the one who asks."""
    if current_visit() is None:
        return found
    own = [row for row in found.rows if is_own(runs / row["run"])]
    total = sum(is_own(runs / name) for name in run_names())
    return replace(found, rows=own, total=total)


def _all_changed(runs: Path, seen: str) -> ChangedRows:
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


def _refreshed(index: sqlite3.Connection, runs: Path, seen: str) -> ChangedRows:
    rows = index.execute("SELECT run, version, over, offset, totals FROM runs")
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
        try:
            if row is not None and row[0] == version and (row[1] or not status_of(folder).over):
                continue
            read = _read(folder, row)
        except OSError as error:
            read = _unread(folder, error)
        change += 1
        index.execute(_INSERT, (name, *read, change))
    index.executemany("DELETE FROM runs WHERE run = ?", [(name,) for name in known])
    return _answer(index, seen, change, total)


def _answer(index: sqlite3.Connection, seen: str, change: int, total: int) -> ChangedRows:
    name = index.execute("SELECT name FROM name").fetchone()[0]
    known, _, number = seen.partition(":")
    after = int(number) if known == name and number.isdecimal() else -1
    found = index.execute("SELECT shown FROM runs WHERE change > ? ORDER BY run DESC", (after,))
    rows = [json.loads(row[0]) for row in found]
    return ChangedRows(f"{name}:{change}", after < 0, rows, total)


def _version(folder: Path) -> str | None:
    """A text that changes with the files that a row is made from; None where there is no run."""
    parts = []
    for name in (STATUS, EVENTS, ANNOTATION, SPEC_NAME, PLAN_NAME, PLACEMENT, CLAIM):
        try:
            stat = os.stat(f"{folder}/{name}")
            parts.append(f"{stat.st_size}.{stat.st_mtime_ns}.{stat.st_ino}")
        except OSError:
            parts.append("-")
    return None if set(parts) == {"-"} else ":".join(parts)


def _read(folder: Path, known: Any) -> tuple[str, int, str, str, int]:
    """The row of this run, going on from the one that is known."""
    status = status_of(folder)
    # Before anything is read: what changes while we read is read again the next time.
    version = _version(folder) or ""
    totals, offset = _totals(folder, known)
    row = _row(folder, totals)
    row |= {"status": status.status, "reason": status.reason, "over": status.over}
    damaged = damaged_files(folder) + ([EVENTS] if totals.unreadable else [])
    if damaged:
        row |= _damage(status, ", ".join(damaged))
    return version, offset, json.dumps(asdict(totals)), json.dumps(row), int(status.over)


def _damage(status: Status, files: str) -> dict[str, Any]:
    """What a list says of a run with damaged files; one that goes on keeps its status."""
    said = f"Damaged: {files}. Put it back from a copy, or delete the run."
    return {
        "status": "damaged" if status.over else status.status,
        "reason": f"{said} {status.reason}".strip(),
    }


def _unread(folder: Path, error: OSError) -> tuple[str, int, str, str, int]:
    """The row of a run whose files may not be read; it is tried again the next time."""
    status, totals = Status(status="interrupted"), RunTotals()
    row = _shown(folder.name, totals, status, {}, "") | {"name": "", "tags": [], "note": ""}
    row |= {"over": True, **_damage(status, reason_for(error).rstrip("."))}
    return "", 0, json.dumps(asdict(totals)), json.dumps(row), 1


def _totals(folder: Path, known: Any) -> tuple[RunTotals, int]:
    """The totals of this run, and the byte to go on from."""
    totals, offset = RunTotals(), 0
    if known is not None and known[2] <= log_size(folder):
        totals, offset = RunTotals(**json.loads(known[3])), known[2]
    fold, end = fold_from(folder, offset)
    if offset and fold.start:
        # Resumed since: what it forgets cannot be taken out of totals.
        totals, (fold, end) = RunTotals(), fold_from(folder)
    totals.add(fold)
    return totals, end


def _row(folder: Path, totals: RunTotals) -> dict[str, Any]:
    """The values that a list of runs can show, filter and sort by."""
    settings, plan = recorded_settings(folder), recorded_plan(folder).name
    shown = _shown(folder.name, totals, recorded_status(folder), settings, plan)
    return shown | annotation_of(folder)


def _shown(
    run: str, totals: RunTotals, status: Status, settings: dict[str, Any], plan: str
) -> dict[str, Any]:
    return {
        "run": run,
        "step": totals.step or status.step,
        "steps": status.steps,
        "loss": totals.loss,
        "eval_before": totals.eval_before,
        "eval_after": totals.eval_after,
        "best_eval": totals.best_eval,
        "forgetting": totals.forgetting,
        "kl": totals.kl if totals.step else None,
        "model": settings.get("model") or "",
        "plan": plan,
        "seed": settings.get("seed", 0),
        "data": Path(str(settings.get("data") or "")).name,
        "learning_rate": totals.start.get("learning_rate") or settings.get("learning_rate"),
        "trainable": totals.start.get("trainable_parameters"),
        "device": totals.start.get("device"),
        "elapsed": totals.elapsed,
        "tokens": totals.tokens,
        "peak_bytes": totals.peak_bytes,
        "created": status.created,
    }
