"""Turning a finished run: measured in the process that calls, and left in the run's folder.

The record is written anew after every point, so that a page shows points as they come and a later
look needs no measurement.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qwen_ui.compare.dial import (
    GRID,
    Point,
    best_of,
    next_strength,
    point_record,
    suggestion,
    suggestion_record,
)
from qwen_ui.compare.dial_record import CHANGES_NAME, DIAL_NAME, DialRequest
from qwen_ui.compare.token_changes import token_changes
from qwen_ui.engine import AS_TRAINED, Dialled, Measured, Strengths, parse_strengths
from qwen_ui.errors import SettingsError
from qwen_ui.files import write_json
from qwen_ui.runs import HeldOut

# Of a single block, the others as they are: the base's value, half, as it is, and beyond.
BLOCK_GRID = (0.0, 0.5, 1.0, 1.5)
OnPoint = Callable[[dict[str, Any]], None]


def turn(folder: Path, asked: DialRequest, on_point: OnPoint | None = None) -> dict[str, Any]:
    """Measure a run at several strengths; the record that `dial` prints and the folder keeps.

    Args:
        folder: of a run that left a delta.
        on_point: called with the record so far after every point.

    Raises:
        RunError: the run left no delta, or its base is another one now.
        SettingsError: a limit of forgetting without a text to keep.
        UserError: model or data cannot be used.
    """
    begun = time.monotonic()
    dialled = Dialled(folder, keep=asked.keep)
    measured = {0.0: dialled.at(Strengths(0.0))}
    if asked.most_forgetting is not None and measured[0.0].kept is None:
        raise SettingsError(
            "A limit of forgetting needs a text to keep: give --keep FILE, or leave the limit out."
        )
    ready = time.monotonic()
    # The base and the run as trained are what every point is compared with.
    grid = sorted({0.0, 1.0, *(GRID if asked.strengths is None else asked.strengths)})

    def told() -> dict[str, Any]:
        points = [_point(s, found, measured[0.0]) for s, found in sorted(measured.items())]
        return {
            "run": folder.name,
            "points": [point_record(point) for point in points],
            **suggestion_record(suggestion(points, asked.most_forgetting)),
            "max_forgetting": asked.most_forgetting,
            "keep": asked.keep,
            "by_block": None,
            "seconds_to_begin": ready - begun,
            "seconds": time.monotonic() - begun,
            "notes": list(dialled.notes),
        }

    def record() -> dict[str, Any]:
        found = told()
        write_json(folder / DIAL_NAME, found | {"done": False})
        if on_point is not None:
            on_point(found)
        return found

    record()
    while grid:
        strength = grid.pop(0)
        if strength not in measured:
            measured[strength] = dialled.at(Strengths(strength))
            record()
        if not grid and asked.strengths is None:
            points = [_point(s, found, measured[0.0]) for s, found in measured.items()]
            further = next_strength(points)
            grid += [] if further is None else [further]
    found = told() | _changes(dialled, folder)
    if asked.by_block:
        found["by_block"] = _by_block(dialled, measured, asked.most_forgetting)
    found["saved"] = None if asked.save is None else _save(dialled, found, asked.save)
    found["seconds"] = time.monotonic() - begun
    write_json(folder / DIAL_NAME, found | {"done": True})
    return found


def _by_block(
    dialled: Dialled, measured: dict[float, Measured], most_forgetting: float | None
) -> dict[str, Any]:
    """A strength for each block: block by block from the top, the others as they stand.

    Begins with the best strength for all. Chosen and told as for one strength.
    """
    base = measured[0.0]
    points = [_point(s, found, base) for s, found in measured.items()]
    chosen = suggestion(points, most_forgetting)
    strengths = AS_TRAINED if chosen is None else Strengths(chosen.strength)
    present = measured[strengths.rest]
    for block in reversed(dialled.blocks):
        tried = {strengths.of(block): present}
        for strength in BLOCK_GRID:
            if strength not in tried:
                tried[strength] = dialled.at(strengths.changed(block, strength), samples=False)
        found = best_of([_point(s, one, base) for s, one in tried.items()], most_forgetting)
        if found is not None:
            present, strengths = tried[found.strength], strengths.changed(block, found.strength)
    told = _point(strengths.rest, present, base)
    return {"strength": str(strengths), "told": _without_samples(told.half(1))}


def _changes(dialled: Dialled, folder: Path) -> dict[str, Any]:
    """Leave where the run changed its held-out text; the figures of it."""
    before, after = (dialled.tokens_at(Strengths(strength)) for strength in (0.0, 1.0))
    record = token_changes(dialled.examples, before, after, dialled.decode)
    write_json(folder / CHANGES_NAME, record)
    return {name: value for name, value in record.items() if name != "samples"}


def _save(dialled: Dialled, found: dict[str, Any], file: Path) -> str:
    chosen = found["by_block"]["strength"] if found["by_block"] else found["suggested"]
    if chosen is None:
        raise SettingsError(
            "No strength is suggested, so none is saved. Allow more forgetting, or hold out more."
        )
    dialled.save(parse_strengths(str(chosen)), file)
    return str(file)


def _without_samples(point: Point) -> dict[str, Any]:
    return {n: v for n, v in point_record(point).items() if n not in {"samples", "strength"}}


def _point(strength: float, found: Measured, base: Measured) -> Point:
    held_out = HeldOut(found.evaluation.tokens, base.evaluation.sums, found.evaluation.sums)
    return Point(strength, held_out, found.kept, found.samples)
