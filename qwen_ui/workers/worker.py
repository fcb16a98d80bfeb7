"""The process that trains: `python -m qwen_ui.workers.worker RUN_FOLDER`.

It reads the folder's spec, runs the loop and writes what happens through `RunWriter`. Started by
itself it is one process; under torchrun it is one of several, of which the first alone writes.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from qwen_ui.errors import UserError
from qwen_ui.runs import (
    OF_MEMORY,
    NullWriter,
    PhaseName,
    Phases,
    RunSpec,
    RunWriter,
    Superseded,
    Tell,
    Terminated,
    Writer,
    first_process,
    read_spec,
    reason_for,
    termination,
)
from qwen_ui.workers.measuring import MeasuringWriter
from qwen_ui.workers.memory_advice import available_memory, with_advice, write_advice
from qwen_ui.workers.slurm import read_notice, requeue


class _Stopped(Exception):
    """A person asked to stop before the first step."""


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
            prepared = set_up(spec, folder, _stoppable(tell, writer, spec))
            finds = spec.optimization.learning_rate_finder
            (RateSearch if finds else Trainer)(prepared, writer, tell).run()
        except _Stopped as stopped:
            writer.event("end", status="stopped", reason=str(stopped))
            writer.status("stopped", str(stopped))
        except Superseded:
            print("Slurm has started this run elsewhere; this worker ends.", file=sys.stderr)
            return 1
        except Terminated as ended:
            return tell_terminated(writer, ended)
        except BaseException as error:
            return _failed(writer, error)
    return 0


def _stoppable(tell: Phases, writer: Writer, spec: RunSpec) -> Tell:
    """Tells as `tell` does, and ends a run that a person stops while its frozen blocks are read.

    Of several processes the others would wait: those stop at their first step.
    """

    def told(phase: PhaseName, done: int = 0, total: int = 0) -> None:
        tell(phase, done, total)
        if phase == "prefix" and spec.resources.processes == 1 and writer.stop_requested:
            raise _Stopped(
                "Stopped by the user while the frozen blocks were read. Resume continues at the "
                "block that was running."
            )

    return told


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


def leave(code: int) -> NoReturn:
    """End this process with this exit code.

    One of several ends at once: while Python takes itself down, a thread of gloo's that frees its
    last tensors asks for the interpreter's lock and is ended by SIGABRT (pytorch/pytorch#179291).
    torchrun then ends all others, which may still be writing.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main(Path(sys.argv[1])))
