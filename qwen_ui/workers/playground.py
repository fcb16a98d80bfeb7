"""The playground as the dashboard sees it: one process with one base, asked and listened to.

A model that writes is never in the dashboard's own process. The worker is started by the first
question about a model and is ended by another model's, when it falls silent, with the dashboard
(its connection ends), and before a run that needs its device (`playground_place`).
"""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from qwen_ui.errors import RunError
from qwen_ui.files import locked, write_json
from qwen_ui.runs import (
    Launched,
    is_alive,
    memory_kills,
    queue_lock,
    recorded_launch,
)
from qwen_ui.workers import playground_place as place
from qwen_ui.workers.free_device import free_place
from qwen_ui.workers.playground_worker import START
from qwen_ui.workers.spawn import start_process

MODULE = "qwen_ui.workers.playground_worker"
IDLE_SECONDS = 600.0
CONNECT_SECONDS = 120.0
KILLED_FOR_MEMORY = (
    "The system ended the model's process because the machine's memory ran out. Close other "
    "programs, or talk to a smaller model."
)
ENDED = "The model's process has ended. The next message starts it again."


@dataclass(frozen=True, slots=True)
class AskedSide:
    """One who is to write.

    Attributes:
        run: whose delta is put on the base; "" for the base itself.
        strength: of the delta; 1 is what training left.
        messages: the conversation so far, `role` and `content` each; the last is the person's.
    """

    run: str
    strength: float
    messages: tuple[dict[str, str], ...]


@dataclass(slots=True)
class Answer:
    """What has been written so far.

    Attributes:
        sides: `text`, `tokens`, `seconds` and `ended` of each.
        state: loading, writing, done or failed.
        said: why it failed.
    """

    number: int
    sides: list[dict[str, Any]]
    state: str = "loading"
    said: str = ""


@dataclass(slots=True)
class _Process:
    """A worker, from its start to the end of its connection."""

    model: str
    launched: Launched
    waiting: list[dict[str, Any]] = field(default_factory=list)
    link: socket.socket | None = None
    ready: dict[str, Any] | None = None


class Playground:
    """The client of one worker at a time. Safe to call from several threads."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle = idle_seconds
        self._lock = threading.RLock()
        self._process: _Process | None = None
        self._answer = Answer(0, [], "done")

    def ask(self, model: str, sides: Sequence[AskedSide], sampling: dict[str, Any]) -> int:
        """Let these sides write; the number to ask for what they have written.

        Args:
            model: the base.
            sampling: fields of `engine.Sampling`.

        Raises:
            RunError: an answer is being written, or a run has the device.
        """
        with self._lock:
            if self._answer.state in ("loading", "writing"):
                raise RunError("An answer is being written. Stop it first, or wait for its end.")
            number = self._answer.number + 1
            question = {"ask": number, "sides": [asdict(s) for s in sides], "sampling": sampling}
            process = self._started(model)
            blank = {"text": "", "tokens": 0, "seconds": 0.0, "ended": ""}
            state = "writing" if process.ready else "loading"
            self._answer = Answer(number, [dict(blank) for _ in sides], state)
            self._send(process, question)
            return number

    def answer(self, number: int) -> Answer:
        """What has been written to this question.

        Raises:
            RunError: another one has been asked since.
        """
        with self._lock:
            if number != self._answer.number:
                raise RunError("Another question has been asked since, on this page or another.")
            return self._answer

    def ready(self) -> dict[str, Any] | None:
        """The model that is in memory: `model`, `device`, `dtype`, `template`; None where none."""
        with self._lock:
            return self._process.ready if self._process else None

    def stop(self) -> None:
        """Let no side write on; what they have written stays."""
        with self._lock:
            if self._process is not None:
                self._send(self._process, {"stop": self._answer.number})

    def end(self, why: str = ENDED) -> None:
        """End the worker, if there is one."""
        with self._lock:
            process = self._process
            if process is not None:
                self._lost(process, why)
                place.end_process(process.launched, why)

    def _started(self, model: str) -> _Process:
        """The worker that holds this model."""
        process = self._process
        alive = process and is_alive(process.launched.pid, process.launched.begun)
        if process is not None and (process.model != model or not alive):
            self.end()
        elif process is not None:
            return process
        folder = place.playground_folder()
        folder.mkdir(parents=True, exist_ok=True)
        # As whoever starts runs: neither may find the device free while the other takes it.
        with locked(queue_lock()):
            other = place.living()
            if other is not None:
                place.end_process(other, "Another dashboard has opened its playground.")
            kind, gpus = free_place("talk")
            # Paths of sockets are short (108 bytes), and a home's need not be.
            address = Path(tempfile.mkdtemp(prefix="qwen-ui-")) / "playground"
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(address))
            listener.listen(1)
            start = {"socket": str(address), "model": model, "device": kind, "idle": self._idle}
            write_json(folder / START, start)
            start_process(MODULE, folder, gpus)
        process = _Process(model, recorded_launch(folder) or Launched())
        self._process = process
        threading.Thread(
            target=self._listen, args=(process, listener, address.parent), daemon=True
        ).start()
        return process

    def _send(self, process: _Process, record: dict[str, Any]) -> None:
        if process.link is None:
            process.waiting.append(record)
            return
        with suppress(OSError):  # it has just ended: who listens to it says so
            process.link.sendall(json.dumps(record).encode() + b"\n")

    def _listen(self, process: _Process, listener: socket.socket, folder: Path) -> None:
        link = _accepted(process, listener)
        shutil.rmtree(folder, ignore_errors=True)
        said = ""
        if link is not None:
            with self._lock:
                process.link = link
                for record in process.waiting:
                    self._send(process, record)
            with link, link.makefile("r", encoding="utf-8") as lines, suppress(OSError):
                for line in lines:
                    said = self._take(process, json.loads(line)) or said
        with self._lock:
            self._lost(process, said or _why(process.launched))

    def _take(self, process: _Process, told: dict[str, Any]) -> str:
        """Take in what the worker says; why it ends, where it says that."""
        with self._lock:
            if process is not self._process:
                return ""
            answer = self._answer
            if "ready" in told:
                process.ready = told["ready"]
                if answer.state == "loading":
                    answer.state = "writing"
            elif told.get("text") == answer.number:
                answer.sides[told["side"]] = told["written"]
            elif told.get("done") == answer.number:
                answer.state = "done"
            elif "failed" in told:
                self._fail(told["said"])
                # Of no question: it could not load the model, and ends.
                return "" if told["failed"] else str(told["said"])
            return str(told.get("over") or "")

    def _fail(self, said: str) -> None:
        if self._answer.state in ("loading", "writing"):
            self._answer.state, self._answer.said = "failed", said

    def _lost(self, process: _Process, why: str) -> None:
        if process is self._process:
            self._process = None
            self._fail(why)


def _accepted(process: _Process, listener: socket.socket) -> socket.socket | None:
    """The worker's connection; None where it ended before it connected."""
    due = time.monotonic() + CONNECT_SECONDS
    with listener:
        listener.settimeout(0.5)
        while time.monotonic() < due and is_alive(process.launched.pid, process.launched.begun):
            with suppress(TimeoutError):
                link, _ = listener.accept()
                link.settimeout(None)
                return link
    return None


def _why(launched: Launched) -> str:
    """Why a worker is gone that said nothing of it."""
    if left := place.why_ended(launched.pid or 0):
        return left
    before = launched.memory_kills
    killed = before is not None and (memory_kills() or 0) > before
    return KILLED_FOR_MEMORY if killed else ENDED
