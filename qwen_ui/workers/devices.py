"""What this machine can compute on, and how many processes can share it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import psutil

from qwen_ui.gpus import Gpu, list_gpus

Kind = Literal["cpu", "cuda", "mps"]


@dataclass(frozen=True, slots=True)
class Devices:
    """What a run of `auto` (or of the device that was asked for) would compute on.

    Attributes:
        kind: cpu, cuda or mps.
        names: one a device: the GPUs' names, or the processor's cores in words.
        cores: cores that this process may use.
        gpus: NVIDIA's GPUs, where `kind` is cuda.
    """

    kind: Kind
    names: tuple[str, ...]
    cores: int
    gpus: tuple[Gpu, ...] = ()

    @property
    def label(self) -> str:
        """For a button: `the CPU`, `the GPU (Apple)`, `GPU 1, NVIDIA H100` (the emptiest)."""
        if self.kind == "cpu":
            return "the CPU"
        return self.emptiest.label if self.gpus else f"the GPU ({self.names[0]})"

    @property
    def emptiest(self) -> Gpu:
        """The GPU with the most free memory."""
        return max(self.gpus, key=lambda gpu: gpu.free_bytes)

    @property
    def process_choices(self) -> tuple[int, ...]:
        """Numbers of processes that can run here: one a GPU, on a CPU at most one a core."""
        most = {"cpu": self.cores, "cuda": len(self.names), "mps": 1}[self.kind]
        powers = [2**n for n in range(most.bit_length()) if 2**n <= most]
        return tuple(powers if powers[-1] == most else [*powers, most])

    @property
    def free_bytes(self) -> int:
        """Memory that a run could have: of the emptiest GPU, or of the machine."""
        return self.emptiest.free_bytes if self.gpus else int(psutil.virtual_memory().available)


def find_devices(asked: str = "auto") -> Devices:
    """The devices of this kind, or the best that there are; the CPU where there is none of it."""
    if asked in ("auto", "cuda") and (gpus := list_gpus()):
        return Devices("cuda", tuple(gpu.name for gpu in gpus), cores(), gpus)
    if asked in ("auto", "mps") and _has_mps():
        return Devices("mps", ("Apple",), cores())
    return Devices("cpu", (f"{cores()} cores",), cores())


@lru_cache(maxsize=1)
def _has_mps() -> bool:
    if sys.platform != "darwin":
        return False
    import torch  # noqa: PLC0415  slow; the page asks when it is there

    return torch.backends.mps.is_available()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
