"""Where a run comes from: which run it retries, and when it was resumed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from qwen_ui.files import read_json, write_json
from qwen_ui.runs.fields import is_number, list_of

LINEAGE_NAME = "lineage.json"
MOST_RESUMES = 200


@dataclass(frozen=True, slots=True)
class Lineage:
    """What came before.

    Attributes:
        retry_of: the run whose settings it has, some of them changed; "" for none.
        resumed: when it was resumed, seconds since the epoch, the last ones.
    """

    retry_of: str = ""
    resumed: tuple[float, ...] = ()


def lineage_of(folder: Path) -> Lineage:
    """What the run's folder says; nothing where it says nothing, or is damaged."""
    found = read_json(folder / LINEAGE_NAME)
    origin, resumed = found.get("retry_of"), found.get("resumed")
    times = tuple(resumed) if list_of(is_number)(resumed) and resumed else ()
    return Lineage(origin if isinstance(origin, str) else "", times)


def note_retry(folder: Path, run: str) -> None:
    """Say that this run retries another."""
    write_json(folder / LINEAGE_NAME, {"retry_of": run, "resumed": []})


def note_resume(folder: Path) -> None:
    """Say that this run is resumed now."""
    found = lineage_of(folder)
    resumed = [*found.resumed, round(time.time(), 1)][-MOST_RESUMES:]
    write_json(folder / LINEAGE_NAME, {"retry_of": found.retry_of, "resumed": resumed})
