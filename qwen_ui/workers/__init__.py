"""The processes that train: launched, queued, watched, stopped, explained.

Called by pages, commands, comparisons. It starts and ends processes and writes into run folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.workers.cluster import write_for_cluster
    from qwen_ui.workers.devices import cores, find_devices
    from qwen_ui.workers.launch import (
        dispatch,
        keep_ready,
        kill,
        place,
        queued_runs,
        resume,
        retry,
        start,
        stop,
        wait,
        worker_pid,
    )
    from qwen_ui.workers.memory_advice import OVERHEAD_BYTES
    from qwen_ui.workers.supervisor import Supervisor

__all__ = [
    "OVERHEAD_BYTES",
    "Supervisor",
    "cores",
    "dispatch",
    "find_devices",
    "keep_ready",
    "kill",
    "place",
    "queued_runs",
    "resume",
    "retry",
    "start",
    "stop",
    "wait",
    "worker_pid",
    "write_for_cluster",
]
__getattr__ = lazy_face(
    __name__,
    {
        "OVERHEAD_BYTES": "memory_advice",
        "Supervisor": "supervisor",
        "cores": "devices",
        "dispatch": "launch",
        "find_devices": "devices",
        "keep_ready": "launch",
        "kill": "launch",
        "place": "launch",
        "queued_runs": "launch",
        "resume": "launch",
        "retry": "launch",
        "start": "launch",
        "stop": "launch",
        "wait": "launch",
        "worker_pid": "launch",
        "write_for_cluster": "cluster",
    },
)
