"""Child processes of ours: how they are started, reaped and ended."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO

import psutil

from qwen_ui.paths import python_path

# The module that is run for every run; its `main` takes the run's folder.
WORKER = "qwen_ui.workers.worker"

_children: list[subprocess.Popen[bytes]] = []
_children_lock = threading.Lock()


def child_environment() -> dict[str, str]:
    """The environment variables that a Python process of ours is started with.

    Threads that share out a matrix product spin while they wait for each other by default, and on a
    machine with other work take the processor from the very thread they wait for: beside one other
    training, steps of 0.6 to 9 s came down to 0.2 to 0.6 s without (docs/decisions/workers.md).

    Modules are not looked for in the folder that this process was started in: a `tokenizers.py`
    that lies there would be run in place of the library.
    """
    return {
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        "PYTHONPATH": python_path(),
        "PYTHONSAFEPATH": "1",
    }


def start_detached(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one; `reap` sees to it where it does not.

    Args:
        command: its arguments.
        environment: variables beyond `child_environment`.
        output: takes what it prints, errors included.
    """
    process = subprocess.Popen(
        command,
        env={**child_environment(), **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    with _children_lock:
        _children.append(process)
    return process


def reap() -> None:
    """Let the system forget the processes of `start_detached` that have exited."""
    with _children_lock:
        _children[:] = [child for child in _children if child.poll() is None]


def end_tree(pid: int) -> None:
    """Kill this process and its descendants, and wait until they are gone."""
    try:
        process = psutil.Process(pid)
        tree = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in tree:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(tree, timeout=10)
