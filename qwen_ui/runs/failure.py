"""Why a run failed, in one sentence that says what to change.

Recognised by class name, number and text, so that torch need not be imported to tell, and so that
the same sentence comes from an exception at hand and from the last lines of a dead worker's log.
"""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from qwen_ui.errors import UserError
from qwen_ui.runs.process import memory_kills
from qwen_ui.runs.status import recorded_launch

LOG_NAME = "worker.log"
TAIL_BYTES = 64 * 1024
_RESUME = "Resume continues from the last checkpoint."
_SMALLER = "Halve the batch size (or the sequence length), or train fewer or later blocks."

SENTENCES = {
    "device memory": f"The device ran out of memory. {_SMALLER} {_RESUME}",
    "memory": f"The machine ran out of memory. {_SMALLER} {_RESUME}",
    "killed for memory": "The system killed the worker because the machine's memory ran out. "
    f"{_SMALLER} {_RESUME}",
    "not a number": "The loss is not a number. Lower the learning rate (a tenth is a good first "
    "try) or set a gradient clip of 1.",
    "disk": "The disk is full. Free some space, or point QWEN_UI_HOME at another disk. " + _RESUME,
    "not allowed": "A file or folder of the run cannot be written. Give this account permission to "
    "write there.",
    "missing": "A file that the run needs is missing. Put it back, or choose another one.",
    "port": "No free port was found. Close the program that uses it, or choose another: "
    "qwen-ui --port 7870.",
    "busy device": "Another program has the GPU for itself. End it, choose another GPU, or train "
    "on the CPU (--device cpu).",
    "unsupported device": "This version of PyTorch has no kernels for the GPU. Install one that "
    "supports it (pytorch.org), or train on the CPU (--device cpu).",
    "old driver": "The GPU's driver is too old for this version of PyTorch. Update the driver, or "
    "train on the CPU (--device cpu).",
    "buffer size": f"A tensor is larger than Metal holds in one piece. {_SMALLER}",
    "killed": f"The worker was killed, or the machine went down. {_RESUME}",
}
_SIGNS = (
    ("device memory", r"(CUDA|HIP|MPS backend|CUBLAS)[^\n]*out of memory|cuda\.OutOfMemoryError"),
    ("device memory", r"(CUBLAS|CUDNN|HIPBLAS|MIOPEN)_?STATUS_\w*ALLOC\w*FAILED|OUT_OF_MEMORY"),
    ("busy device", r"devices? (are|is) busy or unavailable"),
    (
        "unsupported device",
        r"no kernel image is available|is not compatible with the current PyTorch",
    ),
    ("old driver", r"driver on your system is too old|driver version is insufficient"),
    ("buffer size", r"Invalid buffer size|total bytes of NDArray > 2\*\*32"),
    ("memory", r"DefaultCPUAllocator|^MemoryError|Cannot allocate memory|Errno 12\b"),
    ("disk", r"No space left on device|Disk quota exceeded|File too large|SQLITE_FULL"),
    ("not allowed", r"Permission denied|Read-only file system|Operation not permitted"),
    ("port", r"Address already in use|Cannot find empty port"),
    ("missing", r"FileNotFoundError|No such file or directory"),
    ("not a number", r"FloatingPointError|loss is (nan|not a number|not finite)"),
)
_NUMBERS = {
    errno.ENOSPC: "disk",
    errno.EDQUOT: "disk",
    errno.EFBIG: "disk",
    errno.EACCES: "not allowed",
    errno.EPERM: "not allowed",
    errno.EROFS: "not allowed",
    errno.ENOENT: "missing",
    errno.EADDRINUSE: "port",
    errno.ENOMEM: "memory",
}
OF_MEMORY = tuple(SENTENCES[kind] for kind in ("device memory", "memory", "killed for memory"))


def reason_for(error: BaseException) -> str:
    """One sentence for an exception that ended a run, with what to do about it."""
    if isinstance(error, UserError):
        return str(error)
    text = " ".join(str(error).split())
    kind = _NUMBERS.get(error.errno or 0) if isinstance(error, OSError) else None
    kind = kind or _kind_of_text(f"{type(error).__name__}: {text}")
    if kind is None:
        return f"{type(error).__name__}: {text[:300] or 'no message'} (the log has the rest)"
    where = f" It was {error.filename}." if isinstance(error, OSError) and error.filename else ""
    return SENTENCES[kind] + where


def last_words(folder: Path) -> str:
    """Why a worker died without reporting it, as far as the system and its log show."""
    if not os.access(folder, os.W_OK):
        return f"{SENTENCES['not allowed']} It is {folder}."
    launched = recorded_launch(folder)
    before = launched.memory_kills if launched is not None else None
    if before is not None and (memory_kills() or 0) > before:
        return SENTENCES["killed for memory"]
    lines = [line.strip() for line in log_tail(folder).splitlines() if line.strip()]
    if not lines:
        return SENTENCES["killed"]
    # The end of a traceback stands last, and its lines are indented but for the first and the last.
    if any(line.startswith("Traceback") for line in lines):
        kind = _kind_of_text(lines[-1])
        return SENTENCES[kind] if kind else f"The worker ended with an error: {lines[-1][:300]}"
    return f"{SENTENCES['killed']} Its last line: {lines[-1][:200]}"


def log_tail(folder: Path, size: int = TAIL_BYTES) -> str:
    """The end of the worker's log, "" where there is none."""
    try:
        with (folder / LOG_NAME).open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - size))
            return log.read().decode("utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""


def _kind_of_text(text: str) -> str | None:
    found = (kind for kind, sign in _SIGNS if re.search(sign, text, re.IGNORECASE | re.MULTILINE))
    return next(found, None)
