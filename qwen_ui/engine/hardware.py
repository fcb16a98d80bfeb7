"""What a run tells of the device that it uses."""

from __future__ import annotations

import resource
import sys

import torch

from qwen_ui.runs import free_memory


def peak_bytes(device: torch.device) -> int:
    """The most memory that this process has held so far, on its device."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()  # Metal counts no peak
    # Kilobytes on Linux, bytes on a Mac; see getrusage(2).
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def free_bytes(device: torch.device) -> float:
    """Memory that this process could still take on its device."""
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return float(free_memory())


def device_name(device: torch.device) -> str:
    """The GPU's name, else the device's type."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
