"""A selection of another tool, pasted or from a file: what it trains, for the table of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwen_ui.errors import ModelError
from qwen_ui.freeze.lint import lint_price, lint_price_text, lint_record, lint_text
from qwen_ui.model import unreached
from qwen_ui.ui.freeze.selection_data import ranges_of

if TYPE_CHECKING:
    from qwen_ui.freeze.lint import Lint
    from qwen_ui.model import Anatomy

# Rows and names that a table shows; the counts are of all.
MOST_ENTRIES = 300
MOST_NAMES = 400
# Of the step that is priced, as the command `lint` does by default.
BATCH_SIZE, SEQUENCE_LENGTH = 4, 512


def lint_plan(anatomy: Anatomy, text: str, file: str) -> dict[str, Any]:
    """What the text trains in this model, entry by entry, and its tensors as ranges.

    `own` says the same as a plan of ours, `price` what a step of that plan costs, or why that is
    not known; both are empty where nothing trains.
    """
    found = lint_text(text, anatomy, file)
    record = lint_record(found)
    reached = found.names - unreached(anatomy)
    return {
        "title": record["title"],
        "summary": record["summary"],
        "own": found.selection.summary if found.names else "",
        "price": _price(found),
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


def _price(found: Lint) -> str:
    try:
        price = lint_price(found, BATCH_SIZE, SEQUENCE_LENGTH)
    except ModelError as error:
        return str(error)
    return lint_price_text(found, price) if price else ""
