"""What a run tells of the device that it uses, and of the memory that it gives back."""

from __future__ import annotations

import ctypes
import resource
import sys

import torch

from qwen_ui.runs import free_memory

# Pieces of this size or more go back to the system when they are freed.
LARGE_BYTES = 1024**2
_M_MMAP_THRESHOLD = -3  # malloc.h


def return_large_pieces() -> None:
    """Have the C library give freed memory back, now and from here to the end of the process.

    glibc keeps freed pieces of up to 32 MB for later once it has freed one (mallopt(3)): 0.4 GB
    after a pass through the blocks of a 7B. Fresh pieces take time, 15 % of such a pass: a process
    asks for this when its memory is about to be at its highest (docs/decisions/engine.md). Other
    C libraries have no such calls, and a system may refuse them: then more is held.
    """
    if sys.platform != "linux":
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt") and hasattr(library, "malloc_trim"):
        library.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        library.malloc_trim(0)


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
