"""FSDP2: every process holds a shard of each tensor, and whole blocks only while they compute.

torch's `fully_shard` is used itself. Accelerate's FSDP2 wants model and optimizer in one call and
makes the parameters anew, whereas ours needs the plan, the masters and the prefix cache around
them; and it knows no root that begins after a frozen prefix. The process group and the device are
accelerate's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.distributed.tensor import DTensor, distribute_tensor


def shard(trainee: nn.Module, blocks: nn.ModuleList, processes: int, device: str) -> None:
    """Shard each block, and what lies outside the blocks with the trainee as the root."""
    mesh = init_device_mesh(device, (processes,))
    # Gradients of several micro-batches are added up in float32, whatever the weights are in.
    policy = MixedPrecisionPolicy(reduce_dtype=torch.float32)
    for block in blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(trainee, mesh=mesh, mp_policy=policy)
    # What the root holds (embedding, last norm, head) is whole inside these calls too.
    for method in ("run_prefix", "states", "logits", "generate", "observe", "wide_logits"):
        register_fsdp_forward_method(trainee, method)


@contextmanager
def no_gradient_sync(trainee: nn.Module) -> Iterator[None]:
    """Inside, gradients are summed on each process and not yet exchanged."""
    assert isinstance(trainee, FSDPModule)
    trainee.set_requires_gradient_sync(False)
    try:
        yield
    finally:
        trainee.set_requires_gradient_sync(True)


def reshard(module: nn.Module) -> None:
    """Let go of whole tensors: shards may change before the next forward pass.

    Those of the root stay whole after a forward pass that no backward pass follows.
    """
    for part in module.modules():
        if isinstance(part, FSDPModule):
            part.reshard()


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """The whole of a tensor that may be sharded; all processes have to ask together."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local(tensor: torch.Tensor) -> torch.Tensor:
    """This process's shard of a tensor; all of it where it is not sharded."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def fill(target: torch.Tensor, values: torch.Tensor) -> None:
    """Copy whole values into a tensor that may be sharded."""
    target.copy_(sharded_like(target, values))


def sharded_like(target: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """These whole values, placed and sharded as the target is."""
    if not isinstance(target, DTensor):
        return values.to(target.device)
    moved: Any = values.to(target.device_mesh.device_type)
    return distribute_tensor(moved, target.device_mesh, target.placements)
