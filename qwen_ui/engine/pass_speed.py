"""How fast this machine reads and runs frozen blocks: by its last passes, else by assumption."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qwen_ui.files import read_json, write_json
from qwen_ui.formats import short_bytes, short_flops
from qwen_ui.freeze.cost import Speed
from qwen_ui.paths import home

SPEEDS_NAME = "speeds.json"
# Named where they are used. Disk: a SATA SSD. Compute: a core with wide vectors in float32; a GPU
# of the last years in bfloat16. A pass on the machine itself replaces them.
ASSUMED_DISK = 5e8
ASSUMED_COMPUTE = {"cpu": 5e10, "cuda": 3e13, "mps": 2e12}


def known_speed(device: str, dtype: str) -> Speed:
    """The speed of passes in this dtype on this type of device.

    A pass tells how fast both at least are: it takes as long as the slower of them. So each is the
    highest that any pass came to.
    """
    record: Any = read_json(home() / SPEEDS_NAME).get(_key(device, dtype))
    try:
        disk, compute = float(record["disk"]), float(record["compute"])
    except (TypeError, KeyError, ValueError):
        return Speed(ASSUMED_DISK, ASSUMED_COMPUTE.get(device, ASSUMED_COMPUTE["cpu"]), False)
    return Speed(disk, compute, True)


def note_speed(device: str, dtype: str, *, read: float, flops: float, seconds: float) -> None:
    """Remember what a pass came to.

    Args:
        read: bytes that it read from the files.
        flops: that it computed.
        seconds: that both took together.
    """
    if seconds <= 0 or not read or not flops:
        return
    found = Speed(read / seconds, flops / seconds, True)
    known = known_speed(device, dtype)
    if known.measured:
        found = replace(
            found, disk=max(found.disk, known.disk), compute=max(found.compute, known.compute)
        )
    record = read_json(home() / SPEEDS_NAME)
    record[_key(device, dtype)] = {"disk": found.disk, "compute": found.compute}
    home().mkdir(parents=True, exist_ok=True)
    write_json(home() / SPEEDS_NAME, record)


def speed_words(speed: Speed) -> str:
    """Both speeds, and where they come from."""
    source = "measured here before" if speed.measured else "assumed; a first pass measures them"
    return f"{short_bytes(speed.disk)} and {short_flops(speed.compute)} per second ({source})"


def _key(device: str, dtype: str) -> str:
    return f"{device} {dtype}"
