"""NVIDIA's GPUs, asked of their driver (NVML) and never of CUDA.

A process that asks CUDA, be it for a name or for free memory, gets a context: 0.3 to 0.5 GB of
every GPU for as long as it lives, and no other process may use a GPU that is set to exclusive.
Only workers may have one. Where there is no NVIDIA driver there are no GPUs here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, TypeVar

import psutil

VISIBLE = "CUDA_VISIBLE_DEVICES"
# From Ampere on, cards compute in bfloat16; before, torch imitates it.
BFLOAT16_CAPABILITY = (8, 0)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU (or a part of one, under MIG) that a process of ours may use.

    Attributes:
        uuid: what `CUDA_VISIBLE_DEVICES` names it by.
        index: as `nvidia-smi` counts.
        name: of the card.
        total_bytes, free_bytes: of its memory; `free_bytes` as the driver said when it was asked.
        capability: CUDA's compute capability, such as (9, 0); (0, 0) where it is unknown.
    """

    uuid: str
    index: int
    name: str
    total_bytes: int
    free_bytes: int
    capability: tuple[int, int] = (0, 0)

    @property
    def label(self) -> str:
        """`GPU 1, NVIDIA GeForce RTX 4090`."""
        return f"GPU {self.index}, {self.name}"

    @property
    def has_bfloat16(self) -> bool:
        return self.capability >= BFLOAT16_CAPABILITY


@dataclass(frozen=True, slots=True)
class GpuReading:
    """What a GPU does now; None where its driver does not say.

    Attributes:
        busy_percent: share of the last second or so in which a kernel ran.
        used_bytes: memory that all processes hold on it.
        celsius: temperature of the chip.
        watts: power that the card draws.
    """

    busy_percent: float | None
    used_bytes: float | None
    celsius: float | None
    watts: float | None


def list_gpus() -> tuple[Gpu, ...]:
    """The GPUs that this process may use (`CUDA_VISIBLE_DEVICES`), () where there is no driver.

    One that the driver has lost is none.
    """
    nvml = driver()
    if nvml is None:
        return ()
    found = [gpu for index, handle in _handles(nvml) if (gpu := _gpu(nvml, index, handle))]
    return tuple(_visible(found, os.environ.get(VISIBLE)))


def read_gpus(uuids: Iterable[str]) -> list[GpuReading]:
    """What these GPUs do now; those that the driver does not know are left out."""
    nvml = driver()
    if nvml is None:
        return []
    asked = set(uuids)
    handles = [handle for _, handle in _handles(nvml) if _uuid(nvml, handle) in asked]
    return [_reading(nvml, handle) for handle in handles]


@lru_cache(maxsize=1)
def driver() -> Any:
    """The module `pynvml`, ready to be asked; None where it or the driver is not installed."""
    try:
        import pynvml  # noqa: PLC0415  a package that a machine without NVIDIA's cards may lack
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _handles(nvml: Any) -> Iterator[tuple[int, Any]]:
    """(index, handle) of every GPU; of one that is cut up (MIG), of each of its parts."""
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = _or_none(nvml, partial(nvml.nvmlDeviceGetHandleByIndex, index))
        if handle is not None:
            yield from ((index, part) for part in _parts(nvml, handle) or [handle])


def _parts(nvml: Any, handle: Any) -> list[Any]:
    mode = _or_none(nvml, lambda: nvml.nvmlDeviceGetMigMode(handle))
    if not mode or not mode[0]:
        return []
    most = _or_none(nvml, lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(handle)) or 0
    ask = partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle)
    found = (_or_none(nvml, partial(ask, i)) for i in range(most))
    return [part for part in found if part is not None]


def _gpu(nvml: Any, index: int, handle: Any) -> Gpu | None:
    uuid, name = _uuid(nvml, handle), _or_none(nvml, lambda: nvml.nvmlDeviceGetName(handle))
    if uuid is None or name is None:
        return None
    capability = _or_none(nvml, lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
    memory = _or_none(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    if memory is None:
        # Chips that share the machine's memory do not count their own.
        machine = psutil.virtual_memory()
        total, free = machine.total, machine.available
    else:
        total, free = memory.total, memory.free
    return Gpu(uuid, index, name, int(total), int(free), tuple(capability or (0, 0)))


def _reading(nvml: Any, handle: Any) -> GpuReading:
    rates = _or_none(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
    memory = _or_none(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    sensor = nvml.NVML_TEMPERATURE_GPU
    milliwatts = _or_none(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    return GpuReading(
        busy_percent=None if rates is None else float(rates.gpu),
        used_bytes=None if memory is None else float(memory.used),
        celsius=_or_none(nvml, lambda: float(nvml.nvmlDeviceGetTemperature(handle, sensor))),
        watts=None if milliwatts is None else milliwatts / 1000,
    )


def _uuid(nvml: Any, handle: Any) -> str | None:
    return _or_none(nvml, lambda: str(nvml.nvmlDeviceGetUUID(handle)))


def _or_none(nvml: Any, ask: Callable[[], T]) -> T | None:
    """The driver's answer; None where this card or this driver has none."""
    try:
        return ask()
    except nvml.NVMLError:
        return None


def _visible(gpus: list[Gpu], named: str | None) -> Iterator[Gpu]:
    """Those that CUDA would show: it reads names up to the first that it does not know."""
    if named is None:
        yield from gpus
        return
    for name in map(str.strip, named.split(",")):
        found = [gpu for gpu in gpus if _is_called(gpu, name)]
        if len(found) != 1:
            return
        yield found[0]


def _is_called(gpu: Gpu, name: str) -> bool:
    return gpu.index == int(name) if name.isdecimal() else bool(name) and gpu.uuid.startswith(name)
