"""A worker without a model: a real process that writes a run through `RunWriter`, fast to start.

`python -m tests.helpers.step_worker RUN_FOLDER`; the run's settings say `steps` and
`checkpoint_every`, and may hold more than a spec: `pause` (seconds per step). Its checkpoint is the
step's number, from which it resumes; it takes one when it is told to end, as the trainer does.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from qwen_ui.files import write_json
from qwen_ui.runs import (
    RunWriter,
    Superseded,
    Terminated,
    read_events,
    reason_for,
    recorded_settings,
    termination,
)
from qwen_ui.workers.worker import tell_terminated


def main(folder: Path) -> None:
    spec = recorded_settings(folder)
    if "file_limit" in spec:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (spec["file_limit"],) * 2)
    with termination.watched(), RunWriter(folder) as run:
        try:
            train(run, spec, folder)
        except Superseded:
            return
        except Terminated as ended:
            tell_terminated(run, ended)
        except OSError as error:
            run.event("end", status="failed", reason=reason_for(error))
            run.status("failed", reason_for(error))


def train(run: RunWriter, spec: dict[str, Any], folder: Path) -> None:
    checkpoint = folder / "checkpoint.json"
    first = json.loads(checkpoint.read_text())["step"] if checkpoint.is_file() else 0
    known = {e["step"]: e for e in read_events(folder)[0] if e["event"] == "step"}
    began = known[first]["elapsed"] if first else 0.0
    run.event("start", step=first, steps=spec["steps"], device="cpu", prefix_blocks=24)
    with termination.held():
        take_steps(run, spec, folder, first, began)


def take_steps(
    run: RunWriter, spec: dict[str, Any], folder: Path, first: int, began: float
) -> None:
    checkpoint = folder / "checkpoint.json"
    for step in range(first + 1, spec["steps"] + 1):
        if termination.asked:
            write_json(checkpoint, {"step": step - 1})
            raise Terminated(f"It was told to end after step {step - 1} and saved a checkpoint.")
        time.sleep(spec.get("pause", 0))
        if step == spec.get("clock_jumps_at"):
            time.time = lambda: 86_400.0
        run.event(
            "step",
            step=step,
            loss=5 + 1 / step,
            learning_rate=1e-3,
            gradient_norm=0.5,
            seconds=0.01,
            elapsed=began + 0.01 * (step - first),
            tokens=step * 1024,
            memory_bytes=10**9,
        )
        if step % (spec.get("checkpoint_every") or 10) == 0:
            write_json(checkpoint, {"step": step})
        if not spec.get("deaf") and run.stop_requested:
            write_json(checkpoint, {"step": step})
            run.event("end", status="stopped", reason="Stopped by hand.")
            run.status("stopped", "Stopped by hand.", step=step)
            return
    run.event("end", status="completed", reason="")
    run.status("completed", step=spec["steps"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
