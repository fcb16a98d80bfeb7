"""Why a run failed, in one sentence that says what to change.

Recognised by the exception's class name and text, so that torch need not be imported to tell.
"""

from __future__ import annotations

import errno
from pathlib import Path

from qwen_ui.errors import UserError
from qwen_ui.train.process import memory_kills
from qwen_ui.train.status import LAUNCHED, read_json

LOG_NAME = "worker.log"
TAIL_BYTES = 64 * 1024


def reason_for(error: BaseException) -> str:
    """One sentence for an exception that ended a run; also what would mend it."""
    if isinstance(error, UserError):
        return str(error)
    text = " ".join(str(error).split())
    if _out_of_device_memory(error, text):
        return (
            "The device ran out of memory. Halve the batch size (or the sequence length), or train "
            "fewer or later blocks; resume goes on from the last checkpoint."
        )
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in text:
        return (
            "The machine ran out of memory. Halve the batch size (or the sequence length), or "
            "train fewer or later blocks; resume goes on from the last checkpoint."
        )
    if isinstance(error, FloatingPointError):
        return (
            f"{text or 'The loss is not a number.'} Lower the learning rate (a tenth is a good "
            "first try) or set a gradient clip of 1."
        )
    if isinstance(error, OSError):
        return _system(error, text)
    return f"{type(error).__name__}: {text[:300] or 'no message'} (the worker's log has the rest)"


def last_words(folder: Path) -> str:
    """What a worker that left without a word said last; recognises what ended it where it can."""
    tail = log_tail(folder)
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    traceback = next((i for i, line in enumerate(lines) if line.startswith("Traceback")), None)
    if traceback is not None:
        return f"The worker ended with an error: {lines[-1][:300]}"
    before = read_json(folder / LAUNCHED).get("memory_kills")
    if before is not None and (memory_kills() or 0) > before:
        return (
            "The system killed the worker because the machine's memory ran out. Halve the batch "
            "size (or the sequence length), or train later blocks only; resume goes on from the "
            "last checkpoint."
        )
    said = f" Its last line: {lines[-1][:200]}" if lines else ""
    return (
        "The worker ended without a word: it was killed, or the machine went down. Resume goes on "
        f"from the last checkpoint.{said}"
    )


def log_tail(folder: Path, size: int = TAIL_BYTES) -> str:
    """The end of the worker's log, "" where there is none."""
    try:
        with (folder / LOG_NAME).open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - size))
            return log.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _out_of_device_memory(error: BaseException, text: str) -> bool:
    named = type(error).__name__ in {"OutOfMemoryError", "CudaError", "AcceleratorError"}
    return (named and "memory" in text.lower()) or any(
        sign in text for sign in ("CUDA out of memory", "MPS backend out of memory")
    )


def _system(error: OSError, text: str) -> str:
    where = f" ({error.filename})" if error.filename else ""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return (
                f"The disk is full{where}. Free some space, or point QWEN_UI_HOME at another disk; "
                "resume goes on from the last checkpoint."
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"Writing is not allowed{where}. Give this account the right to write there."
        case errno.ENOENT:
            return f"A file is missing{where}. Put it back, or choose another one."
        case errno.EADDRINUSE:
            return "No free port was found. Close another program or name a port."
        case errno.ENOMEM:
            return "The machine ran out of memory. Halve the batch size or train fewer blocks."
    return f"{type(error).__name__}: {text[:300]} (the worker's log has the rest)"
