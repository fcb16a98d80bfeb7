"""The live grid of an opened run: its cells' ratios and gradient norms, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from pydantic import NonNegativeInt

from qwen_ui.runs import Event, reading, run_folder, status_of
from qwen_ui.ui.page import mount_point, mounted_by, server_function


def build_live_grid() -> gr.HTML:
    """The section for the run that its value names; "" shows nothing."""
    return gr.HTML(
        "",
        html_template=mount_point("qr-live"),
        js_on_load=mounted_by("runs/live_grid.js"),
        apply_default_css=False,
        elem_id="qr-live",
        server_functions=[server_function(look_at_grid)],
    )


def look_at_grid(run: str, began: float = 0.0, seen: NonNegativeInt = 0) -> dict[str, Any]:
    """The pictures of a run since one that was seen.

    Args:
        run: its name.
        began: what the last answer said; another one, and all pictures are sent.
        seen: step of the last picture that was seen.

    Returns:
        `began`; `kinds` ([label, role, blocks]); `pictures` ({step, rows}, see
        `engine.live_grid`); `again`, whether they take the place of those that were sent before;
        and whether the run is `over`.

    Raises:
        RunError: no such run.
    """
    folder = run_folder(run)
    over = status_of(folder).over
    with reading(folder) as reader:
        pictures = list(reader.fold.grids)
        started = float(reader.fold.start.get("time") or 0.0)
    again = began != started
    return {
        "began": started,
        "again": again,
        "over": over,
        **grid_record([p for p in pictures if again or (p.get("step") or 0) > seen], pictures),
    }


def grid_record(pictures: Sequence[Event], all_pictures: Sequence[Event]) -> dict[str, Any]:
    """Pictures, and the columns of the grid that the first of all of them names."""
    kinds: list[list[str]] = next(
        (event["kinds"] for event in all_pictures if event.get("kinds")), []
    )
    return {
        "kinds": [[label, role, _indexes(blocks)] for label, role, blocks in kinds],
        "pictures": [
            {"step": event.get("step") or 0, "rows": event.get("rows") or []} for event in pictures
        ],
    }


def _indexes(ranges: str) -> list[int]:
    """`0-3, 5` as numbers; what is no range is left out, as a damaged file may hold anything."""
    found: list[int] = []
    for part in ranges.split(", ")[:1000]:
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal() and len(last or first) < 5:
            found += range(int(first), int(last or first) + 1)
    return found
