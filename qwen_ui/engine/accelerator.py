"""Accelerate's view of this process, and the process group that the loop gets from it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from qwen_ui.engine.process_group import ProcessGroup
from qwen_ui.engine.sharding import no_gradient_sync, shard
from qwen_ui.errors import SettingsError
from qwen_ui.runs import ResourceSettings


def make_accelerator(resources: ResourceSettings, folder: Path) -> Accelerator:
    """Accelerate's view of this process, checked against what was asked for.

    Args:
        resources: device, processes, precision and trackers of the run.
        folder: of the run; trackers write there.

    Raises:
        SettingsError: the device is not there, another number of processes runs than was asked
            for, or a tracker is not installed.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(resources.device, True):
        raise SettingsError(
            f"The device '{resources.device}' is not on this machine. Choose auto or cpu."
        )
    for tracker in resources.trackers:
        if importlib.util.find_spec(tracker) is None:
            raise SettingsError(f"The tracker '{tracker}' is not installed: pip install {tracker}.")
    accelerator = Accelerator(
        cpu=resources.device == "cpu" or None,
        mixed_precision=resources.mixed_precision,
        log_with=list(resources.trackers) or None,
        project_dir=str(folder),
    )
    # `accelerate launch --cpu --num_processes 2` quietly runs one process.
    if accelerator.num_processes != resources.processes:
        raise SettingsError(
            f"{resources.processes} processes were asked for and {accelerator.num_processes} run. "
            "Start the worker with the command that `launch_command` gives (torchrun)."
        )
    if resources.sharded and resources.processes == 1:
        raise SettingsError("Sharding the weights needs at least two processes. Raise processes.")
    return accelerator


def make_process_group(
    accelerator: Accelerator, trainee: nn.Module, shard_blocks: nn.ModuleList | None = None
) -> ProcessGroup:
    """The process group; the trainee is put on its device, and prepared for several processes.

    Args:
        accelerator: from `make_accelerator`.
        trainee: the module whose forward gives the loss.
        shard_blocks: its blocks, to shard the weights (FSDP2); None replicates them (DDP).
    """
    sharded = shard_blocks is not None
    wrapped: nn.Module = trainee
    if shard_blocks is None:
        wrapped = accelerator.prepare(trainee)
    else:
        shard(trainee, shard_blocks, accelerator.num_processes, accelerator.device.type)

    def all_reduce_sum(value: torch.Tensor) -> torch.Tensor:
        summed: torch.Tensor = accelerator.reduce(value, "sum")
        return summed

    def gather(text: str) -> list[str]:
        return list(gather_object([text]))

    def no_sync() -> Any:
        return no_gradient_sync(trainee) if sharded else accelerator.no_sync(wrapped)

    return ProcessGroup(
        world_size=accelerator.num_processes,
        rank=accelerator.process_index,
        device=accelerator.device,
        wrapped=wrapped,
        sharded=sharded,
        all_reduce_sum=all_reduce_sum,
        gather=gather,
        no_sync=no_sync,
        autocast=accelerator.autocast,
    )
