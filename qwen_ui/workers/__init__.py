"""The processes that train: launched, queued, watched, stopped, explained.

Called by pages, commands, comparisons and the ranking. It starts and ends processes and writes into
run folders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen_ui.lazy import lazy_face

if TYPE_CHECKING:
    from qwen_ui.workers.before_launch import prefix_notice
    from qwen_ui.workers.cards import CARDS, Card
    from qwen_ui.workers.cluster import write_for_cluster
    from qwen_ui.workers.devices import cores, find_devices
    from qwen_ui.workers.export_state import ExportState
    from qwen_ui.workers.exporting import default_output, export_states, start_export
    from qwen_ui.workers.fitting import CardFit, fits_on_cards, largest_batch
    from qwen_ui.workers.free_device import free_place
    from qwen_ui.workers.housekeeping import Housekeeper
    from qwen_ui.workers.hub_push import push
    from qwen_ui.workers.launch import (
        resume,
        retry,
        retry_at_found_rate,
        start,
        wait,
    )
    from qwen_ui.workers.memory_advice import ADVICE
    from qwen_ui.workers.playground import Answer, AskedSide, Playground
    from qwen_ui.workers.processes import child_environment
    from qwen_ui.workers.queue import dispatch, queue_position, queued_runs
    from qwen_ui.workers.slurm import SlurmRequest, has_slurm, partitions
    from qwen_ui.workers.slurm_runs import look_at_jobs
    from qwen_ui.workers.spawn import preload, start_process
    from qwen_ui.workers.stopping import kill, stop, worker_pid
    from qwen_ui.workers.supervisor import Supervisor

__all__ = [
    "ADVICE",
    "CARDS",
    "Answer",
    "AskedSide",
    "Card",
    "CardFit",
    "ExportState",
    "Housekeeper",
    "Playground",
    "SlurmRequest",
    "Supervisor",
    "child_environment",
    "cores",
    "default_output",
    "dispatch",
    "export_states",
    "find_devices",
    "fits_on_cards",
    "free_place",
    "has_slurm",
    "kill",
    "largest_batch",
    "look_at_jobs",
    "partitions",
    "prefix_notice",
    "preload",
    "push",
    "queue_position",
    "queued_runs",
    "resume",
    "retry",
    "retry_at_found_rate",
    "start",
    "start_export",
    "start_process",
    "stop",
    "wait",
    "worker_pid",
    "write_for_cluster",
]
__getattr__ = lazy_face(__name__, __file__)
