"""How taking a run's result away stands: a folder a kind, in the run's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qwen_ui.files import read_json

EXPORTS, REQUEST, STATE = "exports", "request.json", "state.json"


@dataclass(frozen=True, slots=True)
class ExportState:
    """What became of a request.

    Attributes:
        state: running, done or failed.
        said: what is being done, why it failed, or what to know of what was written.
        output: the folder or address of what was made; "" until it is there.
        whole: bytes of weights that are to be written; 0 where that is not known.
        share: done of 1, where that can be known; else None.
    """

    state: str = "running"
    said: str = ""
    output: str = ""
    whole: int = 0
    share: float | None = None


def recorded_state(folder: Path) -> ExportState:
    """What the process of this folder said last."""
    found = read_json(folder / STATE)
    values = [found.get(key) for key in ("state", "said", "output")]
    if not all(isinstance(value, str) for value in values):
        return ExportState(said="The process is being started.")
    whole = found.get("whole")
    state, said, output = map(str, values)
    return ExportState(state, said, output, whole if isinstance(whole, int) else 0)
