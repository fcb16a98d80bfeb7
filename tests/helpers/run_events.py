"""Events of runs, as workers record them, and runs made of them without a worker."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from qwen_ui.runs import Event, RunFold, RunWriter, create_run
from qwen_ui.runs.events import EventLog


def start(step: int = 0, **more: Any) -> Event:
    return {"event": "start", "step": step, **more}


def step(number: int, loss: float | None = 2.0, **more: Any) -> Event:
    times = {"seconds": 0.5, "elapsed": 0.5 * number, "tokens": 100 * number}
    return {"event": "step", "step": number, "loss": loss, "gradient_norm": 1.0, **times, **more}


def evaluation(number: int, loss: float | None) -> Event:
    return {"event": "eval", "step": number, "loss": loss}


def kept(number: int, loss: float, kl: float) -> Event:
    """An evaluation of a run with a text to keep."""
    return {**evaluation(number, 3.0), "keep_loss": loss, "kl": kl}


def fold_of(events: Iterable[Event]) -> RunFold:
    fold = RunFold()
    fold.add_all(events)
    return fold


def append(folder: Path, *events: Event) -> None:
    """Record further events of a run."""
    log = EventLog(folder)
    for event in events:
        fields = {key: value for key, value in event.items() if key != "event"}
        log.append(event["event"], **fields)
    log.close()


def new_run() -> Path:
    """The folder of a run that nobody trains."""
    return create_run({"model": "nano", "steps": 9}, {"name": "a"})


def finished(name: str, loss: float, **spec: object) -> Path:
    """The folder of a run of two steps that ended at this evaluation loss."""
    given = {"model": "nano", "steps": 2, "data": "/data/x.txt", "learning_rate": 1e-3, **spec}
    folder = create_run(given, {"name": name, "rules": [{"preset": name}]})
    with RunWriter(folder) as run:
        run.event("start", step=0, steps=2, trainable_parameters=8)
        run.event("eval", step=0, loss=6.0)
        for number in (1, 2):
            times = {"tokens": number * 8, "elapsed": number * 0.5}
            run.event("step", step=number, loss=loss + 1 / number, **times)
        run.event("eval", step=2, loss=loss)
        run.event("end", status="completed")
        run.status("completed", step=2)
    return folder
