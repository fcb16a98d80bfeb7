"""A person's own name, tags and note for a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwen_ui.files import read_json, write_json
from qwen_ui.runs.fields import Checks, is_text, list_of
from qwen_ui.runs.folder import run_folder

FILE_NAME = "meta.json"
ANNOTATION_FIELDS: Checks = {"name": is_text, "tags": list_of(is_text), "note": is_text}
MOST_NAME, MOST_TAG, MOST_TAGS, MOST_NOTE = 120, 40, 20, 5000


def annotation_of(folder: Path) -> dict[str, Any]:
    """A run's `name`, `tags` and `note`; empty where a person gave none, or the file is damaged."""
    record = read_json(folder / FILE_NAME)
    sound = {
        name: record[name]
        for name, check in ANNOTATION_FIELDS.items()
        if name in record and check(record[name])
    }
    return {"name": "", "tags": [], "note": "", **sound}


def annotate(
    run: str,
    *,
    name: str | None = None,
    tags: list[str] | None = None,
    note: str | None = None,
) -> dict[str, Any]:
    """Change a run's name, tags or note; None leaves a field unchanged."""
    folder = run_folder(run)
    meta = annotation_of(folder)
    if name is not None:
        meta["name"] = name.strip()[:MOST_NAME]
    if tags is not None:
        kept = (tag.strip()[:MOST_TAG] for tag in tags)
        meta["tags"] = list(dict.fromkeys(tag for tag in kept if tag))[:MOST_TAGS]
    if note is not None:
        meta["note"] = note.strip()[:MOST_NOTE]
    write_json(folder / FILE_NAME, meta)
    return meta
