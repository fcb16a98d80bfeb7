"""What a public dashboard clears away: runs that train too long, and what visitors left behind."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from qwen_ui.paths import home, runs_folder
from qwen_ui.runs import LAUNCHED, STOP, delete_run, run_names, status_of
from qwen_ui.visits import Limits, entered
from qwen_ui.workers.stopping import stop

ROUND_SECONDS = 20.0
# What stands under `home()` for visitors: a folder each, and what runs share.
LEFT = ("uploads", "plans", "comparisons", "prefixes", "rankings")
logger = logging.getLogger("qwen_ui")


class Housekeeper:
    """Clears away in a thread of its own.

    Args:
        limits: how long and how much.
        uploads: gradio's folder of uploaded files.
    """

    def __init__(self, limits: Limits, uploads: Path) -> None:
        self._limits, self._uploads = limits, uploads

    def start(self) -> None:
        """Do rounds for as long as this process lives."""
        threading.Thread(target=self._work, name="housekeeper", daemon=True).start()

    def round(self, now: float | None = None) -> None:
        """Stop what trains too long, remove what is old, and the oldest where there is too much.

        Args:
            now: seconds since the epoch.
        """
        now = time.time() if now is None else now
        with entered(None):
            self._look_at_runs(now)
            old = now - self._limits.kept_seconds
            for path in self._left():
                if _changed(path) < old:
                    _remove(path)
            self._make_room()

    def _look_at_runs(self, now: float) -> None:
        for name in run_names():
            folder = runs_folder() / name
            if status_of(folder).over:
                if _changed(folder) < now - self._limits.kept_seconds:
                    delete_run(name)
                continue
            launched = folder / LAUNCHED
            began = launched.stat().st_mtime if launched.is_file() else None
            too_long = began is not None and now - began > self._limits.run_seconds
            forgotten = began is None and _changed(folder) < now - self._limits.kept_seconds
            if (too_long or forgotten) and not (folder / STOP).exists():
                stop(name)

    def _make_room(self) -> None:
        over = [runs_folder() / n for n in run_names() if status_of(runs_folder() / n).over]
        removable = sorted([*over, *self._left()], key=_changed)
        every = [*removable, *(runs_folder() / n for n in run_names())]
        sizes = {path: _size(path) for path in dict.fromkeys(every)}
        total = sum(sizes.values())
        for path in removable:
            if total <= self._limits.kept_bytes:
                return
            delete_run(path.name) if path in over else _remove(path)
            total -= sizes[path]

    def _left(self) -> Iterator[Path]:
        """What visitors left beside their runs."""
        for name in LEFT:
            yield from _inside(home() / name)
        yield from _inside(self._uploads)

    def _work(self) -> None:
        while True:
            # All of it: nothing else clears away.
            try:
                self.round()
            except Exception:
                logger.exception("clearing away failed")
            time.sleep(ROUND_SECONDS)


def _inside(folder: Path) -> Iterable[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _changed(path: Path) -> float:
    """When anything in it was changed last; of what is gone meanwhile, now."""
    found = [stat for stat in (_mtime(file) for file in (path, *_files(path))) if stat]
    return max(found, default=time.time())


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in (path, *_files(path)) if file.is_file())


def _files(path: Path) -> list[Path]:
    return list(path.rglob("*")) if path.is_dir() and not path.is_symlink() else []


def _mtime(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
