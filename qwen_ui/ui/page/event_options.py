"""How the page's events are bound."""

from __future__ import annotations

from typing import Any

# For an event that shows nothing of gradio's while it waits, and is no function for programs.
# Without `show_progress_on`, every event's status would be written to all components that any
# event before it wrote to, with a copy of all that each of them holds: a quarter of a second of a
# page's start.
QUIET: dict[str, Any] = {
    "show_progress": "hidden",
    "show_progress_on": [],
    "api_visibility": "private",
}
