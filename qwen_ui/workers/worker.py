"""The process that trains: `python -m qwen_ui.workers.worker RUN_FOLDER`.

It reads the folder's spec, runs the loop and writes what happens through `RunWriter`. Started by
itself it is one process; under torchrun it is one of several, of which the first alone writes.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

from qwen_ui.errors import UserError
from qwen_ui.runs import (
    OF_MEMORY,
    NullWriter,
    Phases,
    RunWriter,
    Superseded,
    Terminated,
    first_process,
    read_spec,
    reason_for,
    termination,
)
from qwen_ui.workers.measuring import MeasuringWriter
from qwen_ui.workers.memory_advice import available_memory, with_advice, write_advice
from qwen_ui.workers.slurm import read_notice, requeue


def main(folder: Path) -> int:
    """Train the run of this folder; 0: ended well, 2: a person's mistake, 1: a fault of ours."""
    with (
        termination.watched(),
        MeasuringWriter(folder) if first_process() else NullWriter(folder) as writer,
    ):
        try:
            spec = read_spec(folder)
            # torch and transformers take seconds: the folder says "running" before they are here.
            from qwen_ui.engine import RateSearch, Trainer, set_up  # noqa: PLC0415

            tell = Phases(writer)
            prepared = set_up(spec, folder, tell)
            finds = spec.optimization.learning_rate_finder
            (RateSearch if finds else Trainer)(prepared, writer, tell).run()
        except Superseded:
            print("Slurm has started this run elsewhere; this worker ends.", file=sys.stderr)
            return 1
        except Terminated as ended:
            return tell_terminated(writer, ended)
        except BaseException as error:
            return _failed(writer, error)
    return 0


def tell_terminated(writer: Any, ended: Terminated) -> int:
    """Record that this process was told to end, and why as far as Slurm says it; its exit code.

    A job that has to make room is put back into the queue, once all is written: that ends it.
    """
    with termination.held():
        notice = read_notice()
        told = str(ended) or "It was told to end (SIGTERM) before its first step."
        reason = f"{notice.reason} {told}".lstrip()
        writer.event("end", status="interrupted", reason=reason)
        writer.status("interrupted", reason)
        if notice.preempted and isinstance(writer, RunWriter):
            requeue(notice.preempted)
    return 1


def _failed(writer: Any, error: BaseException) -> int:
    if not isinstance(error, UserError):
        traceback.print_exc()
    reason = _with_advice(writer, reason_for(error))
    status = "interrupted" if isinstance(error, KeyboardInterrupt | SystemExit) else "failed"
    mistake = isinstance(error, UserError)
    try:
        writer.event("end", status=status, reason=reason, mistake=mistake)
        writer.status(status, reason)
    except OSError:
        # The folder takes nothing more; whoever looks next finds this process gone, and says why.
        traceback.print_exc()
    return 2 if mistake else 1


def _with_advice(writer: Any, reason: str) -> str:
    """A memory reason with what would have fitted, where that can be worked out."""
    if not reason.startswith(OF_MEMORY) or not isinstance(writer, RunWriter):
        return reason
    try:
        return with_advice(reason, write_advice(writer.folder, available_memory()))
    except Exception:
        # Decided: at the edge of memory anything may fail, and the reason itself must be told.
        traceback.print_exc()
        return reason


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
