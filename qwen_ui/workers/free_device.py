"""Where something other than a run may compute: on a device where nothing trains."""

from __future__ import annotations

from qwen_ui.errors import RunError
from qwen_ui.gpus import Gpu
from qwen_ui.runs import Launched, open_folders, recorded_launch
from qwen_ui.workers.devices import find_devices
from qwen_ui.workers.queue import is_busy


def free_place(what: str) -> tuple[str, tuple[Gpu, ...]]:
    """(cpu, cuda or mps; the GPU to use, () for none) where nothing trains.

    Args:
        what: a verb: what one cannot do while a run has the device.

    Raises:
        RunError: a run has the device.
    """
    devices = find_devices()
    busy = [folder for folder in open_folders() if is_busy(folder)]
    held = {folder.name: (recorded_launch(folder) or Launched()).gpus for folder in busy}
    taken = {gpu.uuid for gpus in held.values() for gpu in gpus}
    free = [gpu for gpu in devices.gpus if gpu.uuid not in taken]
    if free:
        return devices.kind, (max(free, key=lambda gpu: gpu.free_bytes),)
    here = [run for run, gpus in held.items() if bool(gpus) == bool(devices.gpus)]
    if here:
        raise RunError(
            f"The run {here[0]} is training on {devices.label}. To {what}, wait until it is over, "
            "or stop it."
        )
    return devices.kind, ()
