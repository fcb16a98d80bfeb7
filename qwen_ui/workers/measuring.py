"""What the machine does while a run trains, recorded beside its steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from qwen_ui.gpus import GpuReading, list_gpus, read_gpus
from qwen_ui.runs import RunWriter

READING_SECONDS = 2.0


class MeasuringWriter(RunWriter):
    """A `RunWriter` that records, after a step, what the device of the run does.

    It is asked at most every two seconds and by the process that trains, so nothing is asked of a
    machine whose run stands still. On several machines it is that of the first process.
    """

    _uuids: tuple[str, ...] = ()
    _read_at: float | None = None

    def event(self, name: str, **fields: Any) -> None:
        super().event(name, **fields)
        if name == "start":
            self._begin(fields)
        elif name == "step" and self._due():
            super().event("machine", step=fields["step"], **self._reading())

    def _begin(self, start: dict[str, Any]) -> None:
        if start.get("device") == "cuda":
            # Process n of a machine computes on the n-th GPU that is visible.
            gpus = list_gpus()[: int(start.get("processes") or 1)]
            self._uuids = tuple(gpu.uuid for gpu in gpus)
        # The share of the processor is that since the call before.
        psutil.cpu_percent()
        self._read_at = time.monotonic()

    def _due(self) -> bool:
        now = time.monotonic()
        if self._read_at is None or now - self._read_at < READING_SECONDS:
            return False
        self._read_at = now
        return True

    def _reading(self) -> dict[str, float]:
        return gpu_figures(read_gpus(self._uuids)) if self._uuids else machine_figures()


def machine_figures() -> dict[str, float]:
    """Processor and memory of the whole machine: percent of all cores, bytes."""
    memory = psutil.virtual_memory()
    used = float(memory.total - memory.available)
    return {"busy_percent": psutil.cpu_percent(), "used_bytes": used}


def gpu_figures(readings: Sequence[GpuReading]) -> dict[str, float]:
    """Of the GPUs of a run together: mean use, memory and power in all, the hottest chip."""
    together: dict[str, Callable[[list[float]], float]] = {
        "busy_percent": lambda values: sum(values) / len(values),
        "used_bytes": sum,
        "celsius": max,
        "watts": sum,
    }
    figures = {}
    for name, add_up in together.items():
        told = [value for gpu in readings if (value := getattr(gpu, name)) is not None]
        # A sum that lacks a card would be taken for all of them.
        if told and len(told) == len(readings):
            figures[name] = add_up(told)
    return figures
