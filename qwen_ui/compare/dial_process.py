"""A dial measured by a process of its own: begun from a page, found by whoever looks at the run.

The run's folder `dial/` takes the request, the process's log, and why it failed; the points
themselves are the run's `dial.json`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from qwen_ui.compare.dial_record import CHANGES_NAME, DIAL_NAME, DialRequest
from qwen_ui.errors import RunError
from qwen_ui.files import locked, read_json, write_json
from qwen_ui.runs import (
    DELTA_NAME,
    living_process,
    log_tail,
    queue_lock,
    run_folder,
)
from qwen_ui.workers import free_place, start_process

MODULE = "qwen_ui.compare.dial_worker"
PLACE, REQUEST, FAILED = "dial", "request.json", "failed.json"


@dataclass(frozen=True, slots=True)
class DialState:
    """How a run's dial stands.

    Attributes:
        record: what was measured so far, as `turn` gives it; {} where nothing was.
        going_on: whether a process is measuring.
        failed: why the last one ended without a result; "" where it did not.
    """

    record: dict[str, Any]
    going_on: bool
    failed: str


def start_dial(run: str, asked: DialRequest) -> None:
    """Begin to measure a run at several strengths.

    Raises:
        RunError: no such run, it left no delta, this is going on already, or a run has the device.
    """
    folder = run_folder(run)
    if not (folder / DELTA_NAME).is_file():
        raise RunError("This run left no trained tensors, so there is nothing to turn.")
    place = folder / PLACE
    place.mkdir(exist_ok=True)
    # As whoever starts runs: neither may find the device free while the other takes it.
    with locked(queue_lock()):
        if living_process(place):
            raise RunError("This is being measured already. Wait for its end.")
        _, gpus = free_place("measure")
        (place / FAILED).unlink(missing_ok=True)
        (folder / DIAL_NAME).unlink(missing_ok=True)
        write_json(place / REQUEST, asdict(asked) | {"save": None})
        start_process(MODULE, place, gpus)


def dial_state(run: str) -> DialState:
    """How a run's dial stands.

    Raises:
        RunError: no such run.
    """
    folder = run_folder(run)
    place = folder / PLACE
    # The process first: when it is seen to be gone, its last word is there.
    alive = living_process(place) is not None
    record = read_json(folder / DIAL_NAME)
    record = record if isinstance(record.get("points"), list) else {}
    if alive or record.get("done") or not (place / REQUEST).is_file():
        return DialState(record, alive, "")
    said = read_json(place / FAILED).get("said")
    if not isinstance(said, str):
        last = log_tail(place).strip().splitlines()
        said = "The process ended before it was done."
        said += f" Its last line: {last[-1][:200]}" if last else ""
    return DialState(record, False, said)


def token_changes_of(run: str) -> dict[str, Any]:
    """Where a run changed its held-out text, as `token_changes` gives it; {} before it is measured.

    Raises:
        RunError: no such run.
    """
    record = read_json(run_folder(run) / CHANGES_NAME)
    return record if isinstance(record.get("samples"), list) else {}
