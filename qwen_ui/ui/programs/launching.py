"""From a permit to a run: the settings that a permit holds, and their launch.

They are the settings of the page's own launch, checked before the permit was given, and go to the
same workers.
"""

from __future__ import annotations

from typing import Any

from qwen_ui import workers
from qwen_ui.compare import comparison_from, start_runs
from qwen_ui.runs import parse_spec
from qwen_ui.ui.page import Permit


def launch_permitted(permit: Permit) -> dict[str, Any]:
    """Launch what was permitted: the name of the `run`, or of the `comparison` and its `runs`."""
    if permit.kind == "training":
        return {"run": workers.start(parse_spec(permit.settings))}
    started = start_runs(comparison_from(permit.settings))
    return {"comparison": started.name, "runs": list(started.all_runs)}
