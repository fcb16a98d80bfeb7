"""A selection of another tool, pasted or from a file: what it trains, for the table of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ui.freeze.lint import lint_record, lint_text
from qwen_ui.model import unreached
from qwen_ui.ui.freeze.selection_data import ranges_of

if TYPE_CHECKING:
    from qwen_ui.model import Anatomy

# Rows and names that a table shows; the counts are of all.
MOST_ENTRIES = 300
MOST_NAMES = 400


def lint_plan(anatomy: Anatomy, text: str, file: str) -> dict[str, Any]:
    """What the text trains in this model, entry by entry, and its tensors as ranges."""
    found = lint_text(text, anatomy, file)
    record = lint_record(found)
    reached = found.names - unreached(anatomy)
    return {
        "title": record["title"],
        "summary": record["summary"],
        "clean": record["clean"],
        "problems": record["problems"],
        "entries": [
            {key: entry[key] for key in ("setting", "entry", "matches", "freezes", "problem")}
            | {"example": entry["names"][0] if entry["names"] else ""}
            for entry in record["entries"][:MOST_ENTRIES]
        ],
        "more_entries": max(0, len(record["entries"]) - MOST_ENTRIES),
        "names": record["trainable_names"][:MOST_NAMES],
        "more_names": max(0, len(record["trainable_names"]) - MOST_NAMES),
        "ranges": ranges_of(anatomy, reached),
        "name": found.plan.name,
    }
