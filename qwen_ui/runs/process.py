"""Which process is which, and the memory that there is.

A process id alone is reused by the system. Beside it stands a *stamp* of when that process began:
on Linux the boot's id and the clock ticks since boot, which no change of the wall clock moves (the
creation time that psutil reports is derived from the wall clock there); elsewhere psutil's.
"""

from __future__ import annotations

import socket
import sys
from functools import cache
from pathlib import Path

import psutil

_GROUP = Path("/sys/fs/cgroup")


def stamp(pid: int) -> str | None:
    """When this process began, in a form to compare; None where no such process lives."""
    if sys.platform == "linux":
        return _linux_stamp(pid)
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.create_time():.2f}"
    except psutil.Error:
        return None


def is_alive(pid: int | None, begun: str | None) -> bool:
    """Whether the process of this id and start time is alive (a zombie is not)."""
    return bool(pid and begun) and stamp(int(pid or 0)) == begun


def host_name() -> str:
    """What this machine is called among those that share a disk."""
    return socket.gethostname()


def is_of_another_machine(host: str | None, begun: str | None) -> bool:
    """Whether a process of this host name and stamp can be seen from its own machine alone.

    A container that is started anew has another name, but its machine was not booted in between.
    """
    if host in (None, host_name()):
        return False
    boot = _boot_id() if sys.platform == "linux" else ""
    return not (begun or "").startswith(f"{boot}:")


def _linux_stamp(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Fields after the command's name, which may hold spaces and brackets; see proc(5).
    fields = text[text.rindex(")") + 2 :].split()
    state, ticks = fields[0], fields[19]
    return None if state in {"Z", "X"} else f"{_boot_id()}:{ticks}"


@cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def memory_kills() -> int | None:
    """How many processes the kernel has killed for want of memory since boot; None if unknown."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def free_memory() -> int:
    """Bytes that a new process could take: the machine's, or its control group's where less."""
    free = int(psutil.virtual_memory().available)
    try:
        limit = (_GROUP / "memory.max").read_text().strip()
        used = int((_GROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return free
    return min(free, max(0, int(limit) - used)) if limit.isdecimal() else free
