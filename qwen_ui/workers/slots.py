"""Who may start: a place on every GPU, and one on the machine itself for what needs none."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from qwen_ui.errors import SettingsError
from qwen_ui.gpus import Gpu
from qwen_ui.runs import recorded_launch, recorded_settings
from qwen_ui.workers.devices import find_devices

# The place of runs that use no GPU.
MACHINE = "machine"


def runs_per_device() -> int:
    """How many runs may share a GPU, or the CPU (`QWEN_UI_WORKERS`, 1 by default)."""
    value = os.environ.get("QWEN_UI_WORKERS", "1")
    return max(1, int(value)) if value.isdecimal() else 1


def wants_gpus(folder: Path) -> bool:
    """Whether this run would compute on NVIDIA's GPUs, here and now."""
    return find_devices(_asked(folder)).kind == "cuda"


class Slots:
    """The free places beside the runs that are busy.

    Args:
        busy: the folders of the runs that have workers.
    """

    def __init__(self, busy: Iterable[Path]) -> None:
        self._each = runs_per_device()
        self._taken = Counter(place for folder in busy for place in _places(folder))
        # Of two runs that want GPUs the first is not overtaken: one that wants several would wait
        # for ever.
        self._gpus_awaited = False

    def take(self, folder: Path) -> tuple[Gpu, ...] | None:
        """The GPUs that this run is to use, () for none; None where it has to wait.

        Raises:
            SettingsError: it wants more GPUs than there are.
        """
        devices = find_devices(_asked(folder))
        if devices.kind != "cuda":
            return () if self._take([MACHINE]) else None
        wanted = int(recorded_settings(folder).get("processes") or 1)
        if wanted > len(devices.gpus):
            raise SettingsError(
                f"{wanted} processes need a GPU each, and this machine has {len(devices.gpus)}. "
                "Lower processes, or train on several machines."
            )
        free = [gpu for gpu in devices.gpus if self._taken[gpu.uuid] < self._each]
        # A run that has just been started has not filled its GPU yet.
        free.sort(key=lambda gpu: (self._taken[gpu.uuid], -gpu.free_bytes))
        chosen = tuple(free[:wanted])
        if self._gpus_awaited or len(chosen) < wanted:
            self._gpus_awaited = True
            return None
        self._take(_named(chosen))
        return chosen

    def give_back(self, gpus: Sequence[Gpu]) -> None:
        """Free what `take` gave to a run that could not be started."""
        self._taken.subtract(_named(gpus) or [MACHINE])

    def _take(self, places: list[str]) -> bool:
        free = all(self._taken[place] < self._each for place in places)
        if free:
            self._taken.update(places)
        return free


def _named(gpus: Sequence[Gpu]) -> list[str]:
    return [gpu.uuid for gpu in gpus]


def _places(folder: Path) -> list[str]:
    launched = recorded_launch(folder)
    return [gpu.uuid for gpu in launched.gpus] if launched and launched.gpus else [MACHINE]


def _asked(folder: Path) -> str:
    return str(recorded_settings(folder).get("device") or "auto")
