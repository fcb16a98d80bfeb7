"""A process that has imported torch and transformers, and forks workers from itself.

The imports are most of what a short run on a CPU waits for: 5 of 7 s before the first loss
(docs/training.md). A fork has them at once and shares their memory. It is as detached as a worker
that was started by a command: a session, a log and an end of its own; this process may end before
it. Why not the standard library's fork server: docs/decisions/workers.md.

Only on Linux: the system libraries of macOS forbid forks. A fork must not inherit the state of a
GPU's driver either, so this process imports and asks no GPU anything; where an import did, it forks
nothing. There, and whenever this process is not ready, `fork` gives None and a worker is started by
a command.
"""

from __future__ import annotations

import gc
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

from qwen_ui.workers.processes import child_environment

PRELOADED = ("qwen_ui.workers.worker", "qwen_ui.engine.setup", "qwen_ui.engine.trainer")
# What a process that has asked a GPU's driver holds open: NVIDIA's, AMD's, Windows' under WSL.
DRIVERS = re.compile(r"/dev/(nvidia.*|kfd|dxg)")
# Read by libraries when they are imported: a worker that is to have others cannot be forked.
READ_AT_IMPORT = ("OMP_", "MKL_", "KMP_", "HF_", "TRANSFORMERS_", "TORCH", "PYTORCH", "PYTHON")
# A fork takes milliseconds; a server that does not answer is given up.
ANSWER_TIMEOUT_SECONDS = 20.0


def available() -> bool:
    """Whether this machine lets a worker be forked."""
    return sys.platform == "linux"


def asked_a_driver() -> bool:
    """Whether this process has asked a GPU's driver for anything (Linux)."""
    files = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
    # The listing's own is closed again.
    return any(DRIVERS.fullmatch(os.readlink(file)) for file in files if os.path.lexists(file))


class ForkServer:
    """The client of the process. Safe to call from several threads."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._environment: dict[str, str] = {}
        self._ready = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the process, which takes seconds to be ready; nothing where it is there already."""
        with self._lock:
            if not available() or self._process is not None:
                return
            self._environment = child_environment()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "qwen_ui.workers.fork_server"],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )

    def ready(self, wait: float = 0.0) -> bool:
        """Whether it can fork, after at most `wait` seconds."""
        with self._lock:
            return self._is_ready(wait)

    def fork(self, module: str, folder: Path, log: Path, environment: dict[str, str]) -> int | None:
        """The process id of a worker for this run folder; None where one cannot be forked.

        Args:
            module: whose `main(folder)` is the worker.
            folder: the run's.
            log: the file that takes the worker's output.
            environment: of the worker.
        """
        request = {"module": module, "folder": str(folder), "log": str(log), "cwd": os.getcwd()}
        with self._lock:
            if not self._is_ready() or _at_import(environment) != _at_import(self._environment):
                return None
            answer = self._ask(json.dumps({**request, "environment": environment}))
            if not answer:
                self._end()
                return None
            return int(answer)

    def stop(self) -> None:
        """End the process. Workers that it forked go on."""
        with self._lock:
            self._end()

    def _is_ready(self, wait: float = 0.0) -> bool:
        if self._process is not None and not self._ready:
            self._ready = bool(answer := self._answer(wait))
            if answer == "":
                self._end()
        return self._ready

    def _ask(self, line: str) -> str | None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except OSError:
            return ""
        return self._answer(ANSWER_TIMEOUT_SECONDS)

    def _answer(self, wait: float) -> str | None:
        """The next line of the process: "" where it has ended, None where there is none yet."""
        assert self._process is not None
        output = self._process.stdout
        assert output is not None
        return output.readline() if select.select([output], [], [], wait)[0] else None

    def _end(self) -> None:
        process, self._process, self._ready = self._process, None, False
        if process is not None:
            process.terminate()
            # Closes the pipes, where a request may be stuck, and reaps the process.
            process.communicate()


def _at_import(environment: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k.startswith(READ_AT_IMPORT)}


def _serve() -> int:
    """Fork a worker for every line of standard input, until it ends; in a worker, its exit code."""
    for module in PRELOADED:
        import_module(module)
    if asked_a_driver():
        print("Workers are not forked: an import has asked a GPU's driver.", file=sys.stderr)
        return 1
    # What is here now is never garbage: a collection in a worker need not copy its pages.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, _reap)
    try:
        _tell("ready")
        for line in sys.stdin:
            pid = os.fork()
            if pid == 0:
                return _work(json.loads(line))
            _tell(str(pid))
    except BrokenPipeError:
        # The dashboard ended while this process imported, or forked: nobody asks any more.
        return 0
    return 0


def _tell(line: str) -> None:
    """Answer the client. Not by `print`, whose buffer is flushed once more when Python ends."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def _reap(*_: Any) -> None:
    """Reap the workers that have exited."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _work(request: dict[str, Any]) -> int:
    """Be the worker of this run: nothing is left of the process that it was forked from."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for ours, standard in ((nowhere, 0), (log, 1), (log, 2)):
        os.dup2(ours, standard)
    os.close(nowhere)
    os.close(log)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    code: int | None = import_module(request["module"]).main(Path(request["folder"]))
    return code or 0


if __name__ == "__main__":
    sys.exit(_serve())
