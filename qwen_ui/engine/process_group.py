"""The processes of a run, by accelerate: one on the best device there is, or several."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from qwen_ui.engine.loop import Team
from qwen_ui.engine.sharding import gradients_wait, shard
from qwen_ui.errors import SettingsError
from qwen_ui.runs import RunSpec


def make_accelerator(spec: RunSpec, folder: Path) -> Accelerator:
    """Accelerate's view of this process, checked against what was asked for.

    Raises:
        SettingsError: the device is not there, another number of processes runs than was asked
            for, or a tracker is not installed.
    """
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(spec.device, True):
        raise SettingsError(
            f"The device '{spec.device}' is not on this machine. Choose auto or cpu."
        )
    for tracker in spec.trackers:
        if importlib.util.find_spec(tracker) is None:
            raise SettingsError(f"The tracker '{tracker}' is not installed: pip install {tracker}.")
    accelerator = Accelerator(
        cpu=spec.device == "cpu" or None,
        mixed_precision=spec.mixed_precision,
        log_with=list(spec.trackers) or None,
        project_dir=str(folder),
    )
    if accelerator.num_processes != spec.processes:
        raise SettingsError(
            f"{spec.processes} processes were asked for and {accelerator.num_processes} run. Start "
            "the worker with the command that `launch_command` gives (torchrun)."
        )
    if spec.sharded and spec.processes == 1:
        raise SettingsError("Sharding the weights needs at least two processes. Raise processes.")
    return accelerator


def make_team(
    accelerator: Accelerator, trainee: nn.Module, stack: nn.ModuleList | None = None
) -> Team:
    """The team of this process; the trainee is put on its device, and wrapped for several.

    Args:
        accelerator: from `make_accelerator`.
        trainee: the module whose forward gives the loss.
        stack: its blocks, where the weights are to be shared out (FSDP2); None for DDP.
    """
    wrapped: nn.Module = trainee

    def total(value: torch.Tensor) -> torch.Tensor:
        summed: torch.Tensor = accelerator.reduce(value, "sum")
        return summed

    def waits() -> Any:
        return accelerator.no_sync(wrapped) if stack is None else gradients_wait(trainee)

    if stack is None:
        wrapped = accelerator.prepare(trainee)
    else:
        shard(trainee, stack, accelerator.num_processes, accelerator.device.type)
    return Team(
        count=accelerator.num_processes,
        rank=accelerator.process_index,
        device=accelerator.device,
        wrapped=wrapped,
        sharded=stack is not None,
        total=total,
        waits=waits,
        computes=accelerator.autocast,
    )
