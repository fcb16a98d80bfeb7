"""What two processes find out together: each writes it to a file of its own.

`run_both(folder)` runs this module in two processes, under torchrun as a worker is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from qwen_ui.workers.worker import leave

REPOSITORY = Path(__file__).resolve().parents[2]
WIDTH = 4


class Stack(nn.Module):
    """Two linear blocks and a head, with the methods that a trainee has."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return self.head(x).sum()

    def run_prefix(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x)

    def states(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x)

    def observe(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x)

    def wide_logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x)

    def generate(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks[0](x))


def first_weight(module: Stack) -> torch.Tensor:
    """The weight of the first block."""
    block = module.blocks[0]
    assert isinstance(block, nn.Linear)
    return block.weight


def inputs(rank: int, number: int) -> torch.Tensor:
    """The inputs of a process's micro-batch: no two are alike."""
    return torch.full((3, WIDTH), float(1 + rank + 10 * number))


def main(folder: Path) -> None:
    from accelerate import Accelerator  # noqa: PLC0415

    from qwen_ui.engine.accelerator import make_accelerator, make_process_group  # noqa: PLC0415
    from qwen_ui.runs import ResourceSettings  # noqa: PLC0415

    accelerator: Accelerator = make_accelerator(ResourceSettings(processes=2), folder)
    module = Stack()
    group = make_process_group(accelerator, module)
    rank = group.rank
    found = {
        "world_size": group.world_size,
        "any": [group.any(False), group.any(rank == 1), group.any(True)],
        "all": [group.all(False), group.all(rank == 1), group.all(True)],
        "sum": float(group.all_reduce_sum(torch.tensor(float(rank + 1)))),
        "replicated": gradients(group, module, group.wrapped),
    }
    module = Stack()
    group = make_process_group(accelerator, module, module.blocks)
    found |= {"sharded": gradients(group, module, module), **shards(module)}
    (folder / f"rank-{rank}.json").write_text(json.dumps(found))


def gradients(group: Any, module: Stack, wrapped: Any) -> dict[str, list[float]]:
    """The first block's gradient after a micro-batch without an exchange, and after one with it.

    Sharded, the first is not to be seen.
    """
    from qwen_ui.engine.sharding import whole  # noqa: PLC0415

    weight, alone = first_weight(module), []
    with group.no_sync():
        wrapped(inputs(group.rank, 0)).backward()
    if not group.sharded:
        assert weight.grad is not None
        alone = weight.grad.flatten().tolist()
    wrapped(inputs(group.rank, 1)).backward()
    assert weight.grad is not None
    return {"alone": alone, "together": whole(weight.grad).flatten().tolist()}


def shards(module: Stack) -> dict[str, Any]:
    """What is whole, what is local, and what calls besides forward give."""
    from qwen_ui.engine.sharding import fill, local, sharded_like, whole  # noqa: PLC0415

    weight, x = first_weight(module), inputs(0, 0)
    values = torch.arange(float(WIDTH * WIDTH)).reshape(WIDTH, WIDTH)
    with torch.no_grad():
        found = {
            "whole": whole(weight).flatten().tolist(),
            "local": list(local(weight).shape),
            "prefix": module.run_prefix(x).flatten().tolist(),
            "generated": module.generate(x).flatten().tolist(),
            "like": local(sharded_like(weight, values)).flatten().tolist(),
        }
        fill(weight, values)
    return {**found, "filled": whole(weight.detach()).flatten().tolist()}


def run_both(folder: Path) -> list[dict[str, Any]]:
    """What the processes found, by rank."""
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    # A deadlock of two processes would hang for ever.
    done = subprocess.run(
        [*run, "-m", __name__, str(folder)],
        env={**os.environ, **paths},
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    leave(0)
