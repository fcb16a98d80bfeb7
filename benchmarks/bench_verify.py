"""What `verify` takes of Qwen2.5-1.5B's shape: time beside reading both files, and peak memory.

    python -m benchmarks.bench_verify [--model qwen2.5-1.5b-instruct] [--folder FOLDER]

Two folders of random bfloat16 weights are written (3.1 GB each). They are compared equal, then with
attention of the last four blocks moved, then with everything moved, each by the command in a
process of its own. Reading alone is a process that reads both files in pieces of 8 MB into one
buffer. Everything is done twice and the second time is told: files are in the system's cache where
it has the room.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from qwen_ui.freeze import preset, resolve
from qwen_ui.model import Anatomy, open_model
from qwen_ui.paths import ASSETS

PIECE = 8 * 1024**2
_READ = """
import sys
buffer = bytearray(8 * 1024**2)
for name in sys.argv[1:]:
    with open(name, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
"""
_PEAK = """
import resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(done.returncode, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss)
if done.returncode not in (0, 1):
    sys.exit(done.stderr.decode())
"""
Moved = Callable[[str], bool]


def write_model(folder: Path, name: str, anatomy: Anatomy, moved: Moved) -> Path:
    """A folder with a configuration and random weights; those that are `moved` differ a little."""
    folder.mkdir(parents=True)
    shutil.copyfile(ASSETS / "configs" / f"{name}.json", folder / "config.json")
    drawn = torch.Generator().manual_seed(0)
    block = (torch.randn(PIECE // 2, generator=drawn) * 0.02).bfloat16()
    other = (block.float() + 1e-3 * torch.randn(PIECE // 2, generator=drawn)).bfloat16()
    header, at = {}, 0
    for parameter in anatomy.parameters:
        size = 2 * parameter.numel
        header[parameter.name] = {
            "dtype": "BF16",
            "shape": list(parameter.shape),
            "data_offsets": [at, at + size],
        }
        at += size
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        for parameter in anatomy.parameters:
            source = other if moved(parameter.name) else block
            data, left = source.view(torch.uint8).numpy().data, 2 * parameter.numel
            while left:
                left -= file.write(data[: min(left, PIECE)])
    return folder


def measured(command: list[str]) -> tuple[float, float, int]:
    """Seconds, seconds of processor time, and peak resident bytes of a command, the second time."""
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, *command],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
    _, seconds, processor, peak = done.stdout.split()
    return float(seconds), float(processor), int(peak) * 1024


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qwen2.5-1.5b-instruct")
    parser.add_argument("--folder", type=Path, help="Where 10 GB fit; a temporary one by default.")
    given = parser.parse_args()
    anatomy = open_model(given.model)
    top = resolve(preset("attention", "last:4"), anatomy).names
    cases: dict[str, Moved] = {
        "equal": lambda name: False,
        "attention of the last four blocks moved": lambda name: name in top,
        "everything moved": lambda name: True,
    }
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        base = write_model(Path(place) / "base", given.model, anatomy, cases["equal"])
        size = (base / "model.safetensors").stat().st_size
        for title, moved in cases.items():
            tuned = write_model(Path(place) / "tuned", given.model, anatomy, moved)
            files = [str(folder / "model.safetensors") for folder in (base, tuned)]
            reading, _, _ = measured([sys.executable, "-c", _READ, *files])
            command = [sys.executable, "-m", "qwen_ui", "verify", str(base), str(tuned), "--json"]
            seconds, processor, peak = measured(command)
            print(
                f"{title}: 2 x {size / 1e9:.2f} GB, reading alone {reading:.1f} s, verify "
                f"{seconds:.1f} s ({processor:.1f} s of processor time), peak {peak / 1e6:,.0f} MB",
                flush=True,
            )
            shutil.rmtree(tuned)


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    limit = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{time.perf_counter() - began:.0f} s in all; this process at most {limit / 1e6:,.0f} MB")
