"""Where the playground's process is, for whoever needs its device: another process may."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qwen_ui.files import read_json, write_json
from qwen_ui.gpus import Gpu
from qwen_ui.paths import home
from qwen_ui.runs import Launched, living_process
from qwen_ui.workers.processes import end_tree, reap

ENDED = "ended.json"


def playground_folder() -> Path:
    """The folder `home()/playground`: which process it is, its log, why it was ended."""
    return home() / "playground"


def living() -> Launched | None:
    """The playground's process; None where none is alive."""
    return living_process(playground_folder())


def make_room(run: str, gpus: Sequence[Gpu]) -> None:
    """End the playground where it holds what this run is about to train on.

    Args:
        gpus: those that the run was given; (): the machine itself.
    """
    launched = living()
    if launched is None:
        return
    held, wanted = {gpu.uuid for gpu in launched.gpus}, {gpu.uuid for gpu in gpus}
    if held & wanted or not held | wanted:
        end_process(launched, f"The run {run} needs the device, so this model was unloaded.")


def end_process(launched: Launched, why: str) -> None:
    """End a playground's process at once, and leave word for whoever talked to it."""
    if launched.pid is not None:
        write_json(playground_folder() / ENDED, {"pid": launched.pid, "why": why})
        end_tree(launched.pid)
        reap()


def why_ended(pid: int) -> str:
    """What was left for this process; "" where nothing was."""
    found = read_json(playground_folder() / ENDED)
    return str(found.get("why") or "") if found.get("pid") == pid else ""
