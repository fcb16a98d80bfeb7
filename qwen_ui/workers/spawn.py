"""Worker processes are started here: forked where that is possible, else by a command.

A worker is detached: a session of its own, its output in its run's folder. It needs nothing from
the process that started it, which may end before it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qwen_ui.gpus import VISIBLE, Gpu
from qwen_ui.runs import LOG_NAME, note_launch, read_spec, recorded_settings
from qwen_ui.workers import processes
from qwen_ui.workers.devices import find_devices
from qwen_ui.workers.fork_server import ForkServer
from qwen_ui.workers.launch_command import Launch, launch_command
from qwen_ui.workers.playground_place import make_room

PRELOAD_TIMEOUT_SECONDS = 60.0

# Set whenever this process has started a worker; the supervisor waits for it between its rounds.
spawned = threading.Event()
_fork_server = ForkServer()


def preload(*, wait: bool = False) -> None:
    """Start a process that imports what training needs; workers are then forked from it.

    Args:
        wait: until the imports are done. For a command that starts several runs, not for a page.
    """
    _fork_server.start()
    if wait:
        _fork_server.ready(PRELOAD_TIMEOUT_SECONDS)


def spawn(folder: Path, gpus: Sequence[Gpu] = ()) -> None:
    """Start the worker of this run, or several workers where its spec says so.

    Args:
        folder: the run's.
        gpus: those that it may see; (): what this process sees.
    """
    make_room(folder.name, gpus)
    if recorded_settings(folder).get("processes", 1) != 1:
        spec = read_spec(folder)
        device = find_devices(spec.resources.device).kind
        launch = launch_command(spec, folder, device=device)
        pid = _execute(folder, replace(launch, environment={**launch.environment, **_seen(gpus)}))
        note_launch(folder, pid, gpus)
    else:
        start_process(processes.WORKER, folder, gpus)
    spawned.set()


def start_process(module: str, folder: Path, gpus: Sequence[Gpu] = ()) -> int:
    """Start `main(folder)` of a module of ours in a detached process, and note it in the folder.

    Args:
        module: by its full name; `python -m MODULE FOLDER` does the same.
        folder: takes the process's log, and says which process it is.
        gpus: those that it may see; (): what this process sees.
    """
    given = _seen(gpus)
    forked = _fork_server.fork(
        module, folder, folder / LOG_NAME, {**processes.child_environment(), **given}
    )
    command = (sys.executable, "-m", module, str(folder))
    pid = _execute(folder, Launch(command, given)) if forked is None else forked
    note_launch(folder, pid, gpus)
    return pid


def _seen(gpus: Sequence[Gpu]) -> dict[str, str]:
    return {VISIBLE: ",".join(gpu.uuid for gpu in gpus)} if gpus else {}


def _execute(folder: Path, launch: Launch) -> int:
    with (folder / LOG_NAME).open("ab") as log:
        return processes.start_detached(launch.command, launch.environment, log).pid
