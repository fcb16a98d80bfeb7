"""What this machine can compute on, and how many processes can share it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import psutil

Kind = Literal["cpu", "cuda", "mps"]


@dataclass(frozen=True, slots=True)
class Devices:
    """What a run of `auto` (or of the device that was asked for) would compute on.

    Attributes:
        kind: cpu, cuda or mps.
        names: one a device: the GPUs' names, or the processor's cores in words.
        cores: cores that this process may use.
    """

    kind: Kind
    names: tuple[str, ...]
    cores: int

    @property
    def label(self) -> str:
        """For a button: `the CPU`, `the GPU (NVIDIA H100)`."""
        return "the CPU" if self.kind == "cpu" else f"the GPU ({self.names[0]})"

    @property
    def process_choices(self) -> tuple[int, ...]:
        """Numbers of processes that can run here: one a GPU, on a CPU at most one a core."""
        most = {"cpu": self.cores, "cuda": len(self.names), "mps": 1}[self.kind]
        powers = [2**n for n in range(most.bit_length()) if 2**n <= most]
        return tuple(powers if powers[-1] == most else [*powers, most])

    @property
    def free_bytes(self) -> int:
        """Memory that a run could have: of the emptiest GPU, or of the machine."""
        if self.kind == "cuda":
            import torch  # noqa: PLC0415

            return max(torch.cuda.mem_get_info(i)[0] for i in range(len(self.names)))
        return int(psutil.virtual_memory().available)


def find_devices(asked: str = "auto") -> Devices:
    """The devices of this kind, or the best that there are; the CPU where there is none of it."""
    if asked in ("auto", "cuda") and (gpus := _gpus()):
        return Devices("cuda", gpus, cores())
    if asked in ("auto", "mps") and _has_mps():
        return Devices("mps", ("Apple",), cores())
    return Devices("cpu", (f"{cores()} cores",), cores())


@lru_cache(maxsize=1)
def _gpus() -> tuple[str, ...]:
    import torch  # noqa: PLC0415  slow; the page asks when it is there

    if not torch.cuda.is_available():
        return ()
    return tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))


@lru_cache(maxsize=1)
def _has_mps() -> bool:
    import torch  # noqa: PLC0415

    return torch.backends.mps.is_available()


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
