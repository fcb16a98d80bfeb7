"""What `verify` takes of a model's shape: time beside reading both sides, and peak memory.

    python -m benchmarks.bench_verify [--model qwen2.5-1.5b-instruct] [--folder FOLDER]
        [--cases equal,attention,everything] [--rounds 2]

Two folders of random bfloat16 weights are written, in files of 2 GB; those of the tuned side in
which nothing moved are links to the base's. They are compared equal, then with attention of the
last four blocks moved, then with everything moved, each by the command in a process of its own.
Reading alone is a process that reads both sides in pieces of 8 MB into one buffer. Everything is
done `--rounds` times and the last one is told: with 2, files are in the system's cache where it has
the room.
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
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from qwen_ui.freeze import preset, resolve
from qwen_ui.model import Anatomy, Parameter, open_model
from qwen_ui.paths import ASSETS

PIECE = 8 * 1024**2
SHARD = 2 * 10**9
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


def write_model(
    folder: Path, name: str, anatomy: Anatomy, moved: Moved, base: Path | None = None
) -> list[Path]:
    """A folder with a configuration and random weights; those that are `moved` differ a little.

    Returns its files; those without a moved tensor are links to the base's, where that is given.
    """
    folder.mkdir(parents=True)
    shutil.copyfile(ASSETS / "configs" / f"{name}.json", folder / "config.json")
    shards: list[list[Parameter]] = [[]]
    for parameter in anatomy.parameters:
        if sum(2 * p.numel for p in shards[-1]) >= SHARD:
            shards.append([])
        shards[-1].append(parameter)
    files: list[Path] = []
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, 1):
        file = folder / f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        if base is not None and not any(moved(p.name) for p in shard):
            os.link(base / file.name, file)
        else:
            write_shard(file, shard, moved)
        places |= {p.name: file.name for p in shard}
        files.append(file)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return files


def write_shard(file: Path, parameters: Sequence[Parameter], moved: Moved) -> None:
    """One file of these tensors."""
    drawn = torch.Generator().manual_seed(0)
    block = (torch.randn(PIECE // 2, generator=drawn) * 0.02).bfloat16()
    other = (block.float() + 1e-3 * torch.randn(PIECE // 2, generator=drawn)).bfloat16()
    header, at = {}, 0
    for parameter in parameters:
        size = 2 * parameter.numel
        header[parameter.name] = {
            "dtype": "BF16",
            "shape": list(parameter.shape),
            "data_offsets": [at, at + size],
        }
        at += size
    raw = json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    with file.open("wb") as stream:
        stream.write(struct.pack("<Q", len(raw)) + raw)
        for parameter in parameters:
            source = other if moved(parameter.name) else block
            data, left = source.view(torch.uint8).numpy().data, 2 * parameter.numel
            while left:
                left -= stream.write(data[: min(left, PIECE)])


def measured(command: list[str], rounds: int) -> tuple[float, float, int]:
    """Seconds, seconds of processor time, and peak resident bytes of a command, the last time."""
    for _ in range(rounds):
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
    parser.add_argument("--folder", type=Path, help="Where both fit; a temporary one by default.")
    parser.add_argument("--cases", default="equal,attention,everything")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    anatomy = open_model(given.model)
    top = resolve(preset("attention", "last:4"), anatomy).names
    cases: dict[str, Moved] = {
        "equal": lambda name: False,
        "attention": lambda name: name in top,
        "everything": lambda name: True,
    }
    titles = {
        "equal": "equal",
        "attention": "attention of the last four blocks moved",
        "everything": "everything moved",
    }
    with tempfile.TemporaryDirectory(dir=given.folder) as place:
        base, tuned = Path(place) / "base", Path(place) / "tuned"
        files = write_model(base, given.model, anatomy, cases["equal"])
        size = sum(file.stat().st_size for file in files)
        for case in given.cases.split(","):
            both = files + write_model(tuned, given.model, anatomy, cases[case], base)
            read = [sys.executable, "-c", _READ, *map(str, both)]
            reading, _, _ = measured(read, given.rounds)
            command = [sys.executable, "-m", "qwen_ui", "verify", str(base), str(tuned), "--json"]
            seconds, processor, peak = measured(command, given.rounds)
            print(
                f"{titles[case]}: 2 x {size / 1e9:.2f} GB, reading alone {reading:.1f} s, verify "
                f"{seconds:.1f} s ({processor:.1f} s of processor time), peak {peak / 1e6:,.0f} MB",
                flush=True,
            )
            shutil.rmtree(tuned)


if __name__ == "__main__":
    began = time.perf_counter()
    main()
    limit = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{time.perf_counter() - began:.0f} s in all; this process at most {limit / 1e6:,.0f} MB")
