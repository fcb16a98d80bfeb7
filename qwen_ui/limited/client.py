"""Where tasks are given to a server's children, and what becomes of those that end badly."""

from __future__ import annotations

import atexit
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import qwen_ui.errors as errors
from qwen_ui.errors import UserError
from qwen_ui.formats import short_bytes
from qwen_ui.limited.server import OURS
from qwen_ui.paths import python_path

# Beyond a task's own patience, for a server that imports first or is kept from the processor.
GRACE_SECONDS = 30.0
MOST_AT_ONCE = max(2, os.cpu_count() or 1)
_OUT_OF_TIME = {signal.SIGPROF, signal.SIGALRM, signal.SIGXCPU}
logger = logging.getLogger("qwen_ui")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a task may take.

    Attributes:
        seconds: of processor time.
        memory: bytes, on top of what its process has to begin with.
        patience: seconds of a clock, where a machine is busy or a disk slow.
    """

    seconds: float
    memory: int
    patience: float


class LimitedProcessError(Exception):
    """A task raised what is no `UserError`: a fault of ours, with its traceback."""


class TaskServer:
    """The client of one server, which is started at the first task. Safe to call from threads.

    Args:
        modules: what it imports before it forks.
        at_once: how many tasks may run; others wait.
        niceness: how far its tasks stand back behind quick answers.
    """

    def __init__(self, *modules: str, at_once: int = MOST_AT_ONCE, niceness: int = 0) -> None:
        self._modules = modules
        self._niceness = niceness
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(at_once)
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._owner = 0

    def start(self) -> None:
        """Start the server where it is not there, so that the first task need not wait for it."""
        with self._lock:
            self._running()

    def run(
        self,
        task: str,
        arguments: dict[str, Any],
        limits: Limits,
        refusal: Callable[[str], UserError],
    ) -> Any:
        """What a task returns.

        Args:
            task: `module:function`; takes and returns what JSON holds.
            refusal: the error for the person, from a clause such as "it took more than 5 s".

        Raises:
            UserError: what the task raised, or a refusal.
            LimitedProcessError: the task failed in another way.
        """
        request = {
            "task": task,
            "arguments": arguments,
            "seconds": limits.seconds,
            "patience": limits.patience,
            "memory": limits.memory,
            "niceness": self._niceness,
            "folder": os.getcwd(),
            "environment": {k: v for k, v in os.environ.items() if k.startswith(OURS)},
        }
        line = json.dumps(request).encode() + b"\n"
        end = time.monotonic() + limits.patience + GRACE_SECONDS
        if not self._slots.acquire(timeout=limits.patience):
            raise refusal("other such work is still running; try again")
        try:
            answer, code = self._ask(line, end)
        finally:
            self._slots.release()
        return _result(task, answer, code, limits, refusal)

    def stop(self) -> None:
        """End the server; tasks that run go on to their end."""
        with self._lock:
            self._end()

    def _ask(self, line: bytes, end: float) -> tuple[bytes, int | None]:
        """The answer, and how the child ended: an exit code, -signal, None where time is up."""
        ours = self._connected()
        with ours:
            ours.settimeout(max(0.0, end - time.monotonic()))
            try:
                ours.sendall(line)
            except OSError:
                return b"", None
            parts: list[bytes] = []
            while True:
                left = end - time.monotonic()
                if left <= 0 or not select.select([ours], [], [], left)[0]:
                    return b"", None
                part = ours.recv(1 << 20)
                if not part:
                    break
                parts.append(part)
        answer, _, code = b"".join(parts).rpartition(b"\n")
        return answer, int(code) if code.lstrip(b"-").isdigit() else None

    def _connected(self) -> socket.socket:
        """An end of a connection whose other end a new child has."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            try:
                socket.send_fds(self._running(), [b"."], [theirs.fileno()])
            except OSError:  # it was killed from outside
                self._end()
                socket.send_fds(self._running(), [b"."], [theirs.fileno()])
        return ours

    def _running(self) -> socket.socket:
        """The socket of the server, which is started where it is not there."""
        if self._control is not None and self._owner == os.getpid():
            return self._control
        # After a fork the parent's server is not ours.
        self._control, theirs = socket.socketpair()
        self._owner = os.getpid()
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "qwen_ui.limited.server", *self._modules],
                env={**os.environ, "PYTHONPATH": python_path(), "PYTHONSAFEPATH": "1"},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self._control

    def _end(self) -> None:
        if self._control is None or self._server is None or self._owner != os.getpid():
            return
        self._control.close()
        self._server.kill()
        self._server.wait()
        self._control = self._server = None


def _result(
    task: str,
    answer: bytes,
    code: int | None,
    limits: Limits,
    refusal: Callable[[str], UserError],
) -> Any:
    if code == 0:
        found = json.loads(answer)
        if "result" in found:
            return found["result"]
        if "error" in found:
            kind, said = found["error"]
            raise getattr(errors, kind)(said)
        if "memory" in found:
            raise refusal(f"it needs more than {short_bytes(limits.memory)} of memory")
        if "bytes" in found:
            raise refusal(f"what was found in it takes {short_bytes(found['bytes'])}")
        raise LimitedProcessError(f"{task} failed in its process:\n{found['failed']}")
    if code is None or -code in _OUT_OF_TIME:
        raise refusal(f"it took more than {limits.seconds:g} s")
    logger.warning("The process of %s ended with %s.", task, code)
    # A library that gets no memory, or stumbles over what it reads, ends its process.
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    raise refusal(
        f"the process that read it was ended ({how}), for which too little memory "
        f"({short_bytes(limits.memory)}) is the usual reason"
    )


# For patterns: next to nothing is imported, and it is there in 0.1 s.
LIGHT = TaskServer("qwen_ui.model.matcher_task")
# For models and data: torch and transformers, seconds once. Forks are forbidden by the system
# libraries of macOS once they are loaded; there each child imports what it needs.
WARM = TaskServer(
    *(("qwen_ui.model.opening_task", "qwen_ui.data.task") if sys.platform == "linux" else ()),
    niceness=5,
)


@atexit.register
def _stop() -> None:
    for server in (LIGHT, WARM):
        server.stop()
