"""A process that has done the imports; a child of it does each task and ends.

`python -m qwen_ui.limited.server [MODULE ...]` imports the modules and then waits on the socket
that is its standard input. Every message there carries one end of a connection. A child is forked
for each: it reads the request from the connection, takes on its limits, calls the task and writes
the answer. When it has ended, this process adds a last line on how, and closes the connection.

Asked: {"task": "module:function", "arguments": {...}, "seconds": ..., "patience": ...,
"memory": ..., "niceness": ..., "folder": ..., "environment": {...}}. Answered: {"result": ...},
{"error": [class, sentence]} for a `UserError`, {"memory": true} where there was too little,
{"bytes": ...} where the result is too large, or {"failed": traceback}.

The limits are the kernel's: two timers whose signals end a process that has no handler for them,
and the size of its address space. A handler of Python's would wait for the end of a call into C.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from typing import Any

from qwen_ui.errors import UserError

MOST_ANSWER_BYTES = 64 * 1024**2
# Variables that may change while a server runs.
OURS = "QWEN_UI_"
ADDRESSES = "/proc/self/statm"


def main(modules: list[str]) -> int:
    for module in modules:
        import_module(module)
    # What is here now is never garbage: a collection in a child need not copy its pages.
    gc.collect()
    gc.freeze()
    # A connection of its own, so that no child holds it as its standard input.
    asked = socket.socket(fileno=os.dup(0))
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, socket.socket] = {}
    while True:
        waited_for: list[socket.socket | int] = [asked, woken]
        readable, _, _ = select.select(waited_for, [], [])
        if woken in readable:
            os.read(woken, 4096)
            for pid in list(children):
                _tell_end(pid, children)
        if asked not in readable:
            continue
        message, handed, _, _ = socket.recv_fds(asked, 1, 1)
        if not message:
            return 0  # the process that asks has ended
        with socket.socket(fileno=handed[0]) as connection:
            pid = os.fork()
            if pid == 0:
                for other in (asked, *children.values()):
                    other.close()
                _be_child(connection)
            children[pid] = connection.dup()


def _tell_end(pid: int, children: dict[int, socket.socket]) -> None:
    """Write how a child ended as the last line of its connection, if it has."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    if not ended:
        return
    with children.pop(pid) as connection, suppress(OSError):  # whoever asked may have gone
        connection.setblocking(False)
        connection.sendall(b"\n%d" % os.waitstatus_to_exitcode(status))


def _be_child(connection: socket.socket) -> None:
    """Do one task and end, whatever happens: the loop of the parent is not the child's."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nowhere, standard)
        with connection.makefile("rwb") as stream:
            request = json.loads(stream.readline())
            stream.write(_answer(request))
        code = 0
    finally:
        os._exit(code)


def _answer(request: dict[str, Any]) -> bytes:
    module, _, function = request["task"].partition(":")
    try:
        for name in [name for name in os.environ if name.startswith(OURS)]:
            del os.environ[name]
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        os.nice(request["niceness"])
        _take_limits(request["seconds"], request["patience"], request["memory"])
        found = getattr(import_module(module), function)(**request["arguments"])
        line = json.dumps({"result": found}).encode()
        if len(line) <= MOST_ANSWER_BYTES:
            return line
        answer: dict[str, Any] = {"bytes": len(line)}
    except UserError as error:
        answer = {"error": [type(error).__name__, str(error)]}
    except MemoryError:
        answer = {"memory": True}
    except Exception:
        # A fault of ours: whoever asked raises it, with where it was.
        answer = {"failed": traceback.format_exc()}
    return json.dumps(answer).encode()


def _take_limits(seconds: float, patience: float, memory: int) -> None:
    """Of processor time, of a clock's, and of memory on top of what this process has."""
    # Where the machine runs out of memory, this process goes first.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, patience)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # macOS has neither the file nor the limit; those of time stand.
    with suppress(OSError, ValueError), open(ADDRESSES, encoding="ascii") as sizes:
        present = int(sizes.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (present + memory, present + memory))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
