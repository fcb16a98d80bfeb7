"""Training the last blocks of a model that memory does not hold: time and memory of the pass.

`python -m benchmarks.bench_stream` writes a model of the 1.5B's shape (bfloat16, random weights,
3.1 GB), trains attention on its last 4 blocks on 64 sequences of 256 tokens under a limit on memory
that is smaller than its weights, with the disk cold and warm, and runs the frozen blocks of the
same model, held, over the same batches. The limit is on what the process has for itself
(`RLIMIT_DATA`: anonymous memory and private mappings), or with `--on addresses` on all that it maps
(`RLIMIT_AS`). `--shape 7b` does the same for the 7B's (untied head, 15 GB on the disk, removed
afterwards) under 6 GB. `--folder` says where it is written; `--sequences`, `--rounds`, `--states`
and `--no-held` make it shorter. Times are those of this machine, as busy as it is: the load is
printed beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from qwen_ui.engine import Prepared, Trainer, checked_spec, set_up
from qwen_ui.engine.prefix_choice import run_cost
from qwen_ui.formats import short_bytes
from qwen_ui.freeze import FreezePlan, preset, resolve
from qwen_ui.model import Role, open_model
from qwen_ui.model.weights import folder_fingerprint
from qwen_ui.paths import ASSETS
from qwen_ui.runs import NullWriter, parse_spec

GB = 10**9
# Bytes that the process may have, libraries included (0.3 GB before a model is opened).
SHAPES = {
    "1.5b": ("qwen2.5-1.5b-instruct", 3.0 * GB),
    "7b": ("qwen2.5-7b-instruct", 6.0 * GB),
}
LIMITS = {"data": resource.RLIMIT_DATA, "addresses": resource.RLIMIT_AS}
# Of the disk's pages in memory, before a run.
STATES = ("cold", "warm")
SHARD_BYTES = 256 * 1024**2
LENGTH = 256
SAMPLE_SECONDS = 0.02


def write_model(source: str, folder: Path) -> None:
    """The preset's shape with random weights in bfloat16, in shards; nano's tokenizer."""
    anatomy = open_model(source)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(anatomy.config), encoding="utf-8")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(ASSETS / "nano" / name, folder / name)
    # Drawn once: 7 G normal numbers take longer than all that is measured.
    drawn = torch.randn(2**22, generator=torch.Generator().manual_seed(0)) * 0.02
    drawn = drawn.bfloat16()
    placed: dict[str, str] = {}
    shard: dict[str, torch.Tensor] = {}

    def flush() -> None:
        name = f"model-{len(set(placed.values())):05d}.safetensors"
        placed.update(dict.fromkeys(shard, name))
        save_file(shard, folder / name, {"format": "pt"})
        shard.clear()

    for parameter in anatomy.parameters:
        if sum(t.nbytes for t in shard.values()) + parameter.bytes > SHARD_BYTES and shard:
            flush()
        repeats = -(-parameter.numel // drawn.numel())
        values = drawn.repeat(repeats)[: parameter.numel].view(parameter.shape)
        # A norm's weight near 1, all else small: outputs stay finite.
        shard[parameter.name] = values + (parameter.role is Role.NORM)
    flush()
    index = {"metadata": {}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    os.sync()


def write_data(folder: Path, sequences: int) -> tuple[Path, Path]:
    """Texts that fill so many sequences, and an eighth as many held-out ones."""
    words = (ASSETS / "data" / "kjv-train.txt").read_text(encoding="utf-8").split()
    held_out = max(2, sequences // 8)
    files = []
    for name, count, start in (("train.jsonl", sequences, 0), ("eval.jsonl", held_out, 20_000)):
        rows = (" ".join(words[start + 300 * n : start + 300 * (n + 1)]) for n in range(count))
        file = folder / name
        file.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
        files.append(file)
    return files[0], files[1]


class Memory(threading.Thread):
    """The highest anonymous, file-backed and whole resident memory of this process, by sampling."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peaks = {"RssAnon": 0, "RssFile": 0, "VmRSS": 0}
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(SAMPLE_SECONDS):
            for name, size in memory().items():
                if name in self.peaks:
                    self.peaks[name] = max(self.peaks[name], size)


def memory() -> dict[str, int]:
    """Bytes by name, as the kernel tells them of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    sizes = (line.split() for line in lines if line.startswith(("Vm", "Rss")))
    return {name.rstrip(":"): int(kilobytes) * 1024 for name, kilobytes, *_ in sizes}


def trained(folder: Path, way: str, limit: float, on: str) -> dict[str, Any]:
    """A run of this process, under this limit: seconds of its parts, memory, losses."""
    if limit:
        resource.setrlimit(LIMITS[on], (int(limit), int(limit)))
    spec = parse_spec(json.loads((folder / f"{way}.json").read_text(encoding="utf-8")))
    selection = resolve(FreezePlan.from_dict(spec.plan), open_model(spec.model.source))
    cost = run_cost(spec, selection, "cpu", "stream" if way == "stream" else "keep")
    before = memory()["VmRSS"]
    watch = Memory()
    watch.start()
    begun: dict[str, float] = {}
    passed: list[float] = []

    def tell(phase: str, done: int = 0, total: int = 0) -> None:
        now = time.monotonic()
        begun.setdefault(phase, now)
        if phase == "prefix":
            passed.append(now)

    began = time.monotonic()
    prepared = set_up(spec, folder, tell)
    ready = time.monotonic()
    writer = _Losses(folder)
    Trainer(prepared, writer).run()
    ended = time.monotonic()
    found: dict[str, Any] = {
        "tokens": sum(len(item.tokens) for item in prepared.data.training.items),
        "set_up": ready - began,
        "pass": passed[-1] - passed[0] if passed else None,
        "training": ended - ready,
        "losses": writer.losses,
        "peak": watch.peaks,
        "high_water": memory()["VmHWM"],
        "must_hold": cost.peak_bytes + before,
        "before": before,
        "address_space": memory()["VmPeak"],
    }
    if way == "keep":
        found["forward"] = forward_seconds(prepared)
    watch.ended.set()
    return found


def forward_seconds(prepared: Prepared) -> float:
    """Of the frozen blocks, held, over the batches of the pass: training and evaluation."""
    loop = prepared.loop
    began = time.monotonic()
    batches = [(loop.training, batch) for batch in loop.first_batches()]
    for examples, judged in loop.judged_batches():
        batches += [(examples, batch) for batch in judged]
    with torch.no_grad():
        for examples, indexes in batches:
            loop.trainee.run_prefix(loop.trainee.inputs(loop.collated(examples, indexes)))
    return time.monotonic() - began


class _Losses(NullWriter):
    """Keeps the losses of a run's steps."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.losses: list[float] = []

    def event(self, name: str, **fields: Any) -> None:
        if name == "step":
            self.losses.append(fields["loss"])


def make_cold(folder: Path) -> None:
    """Have the system forget the pages of the model's files."""
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure(folder: Path, way: str, limit: float, on: str = "data") -> dict[str, Any]:
    """A run in a process of its own, its caches in a home of its own."""
    home = folder / "home"
    shutil.rmtree(home / "prefixes", ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.bench_stream", "--worker", str(folder)]
    done = subprocess.run(
        [*command, "--way", way, "--limit", str(limit), "--on", on],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"The run with prefix {way} ended with {done.returncode}.")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def told(label: str, found: dict[str, Any]) -> None:
    """A line of figures."""
    peak, most = found["peak"], found["must_hold"]
    passed = "" if found["pass"] is None else f"pass {found['pass']:.1f} s, "
    print(
        f"{label}: {passed}set-up {found['set_up']:.1f} s, training {found['training']:.1f} s; "
        f"peak anonymous {short_bytes(peak['RssAnon'])}, file-backed "
        f"{short_bytes(peak['RssFile'])}, together {short_bytes(found['high_water'])}, "
        f"{found['high_water'] / most:.2f} times the {short_bytes(most)} that must be held "
        f"({short_bytes(found['before'])} of them libraries); addresses "
        f"{short_bytes(found['address_space'])}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def main(asked: argparse.Namespace, folder: Path) -> None:
    os.environ["QWEN_UI_HOME"] = str(folder / "home")
    source, limit = SHAPES[asked.shape]
    steps = asked.sequences // asked.batch
    model = folder / "model"
    size = open_model(source).bytes
    if shutil.disk_usage(folder).free < 1.2 * size:
        raise SystemExit(f"'{folder}' has no room for {short_bytes(size)}.")
    print(f"Writing {short_bytes(size)} of random weights.", flush=True)
    write_model(source, model)
    training, evaluation = write_data(folder, asked.sequences)
    for way in ("stream", "keep"):
        spec = checked_spec(
            model=str(model),
            plan=preset("attention", "last:4"),
            data=str(training),
            eval_data=str(evaluation),
            steps=steps,
            batch_size=asked.batch,
            sequence_length=LENGTH,
            learning_rate=1e-5,
            dtype="bfloat16",
            device="cpu",
            sample_tokens=0,
            prefix=way,
        )
        (folder / f"{way}.json").write_text(json.dumps(spec.to_dict()), encoding="utf-8")
    # Digests of the weights are computed once a machine, and are no part of what is measured.
    folder_fingerprint(model)
    times: dict[str, list[float]] = {state: [] for state in asked.states}
    print(f"Limit on {asked.on} {short_bytes(limit)}, weights {short_bytes(size)}.", flush=True)
    losses: list[list[float]] = []
    for _ in range(asked.rounds):
        for state in asked.states:
            if state == "cold":
                make_cold(model)
            found = measure(folder, "stream", limit, asked.on)
            losses.append(found["losses"])
            times[state].append(found["pass"])
            told(f"streamed, disk {state}", found)
    if asked.held:
        found = measure(folder, "keep", 0)
        told("held, no limit", found)
        print(f"Frozen blocks, held, over the same batches: {found['forward']:.1f} s.")
        for state, seconds in times.items():
            ratio = statistics.median(seconds) / found["forward"]
            print(f"Pass, disk {state}: {ratio:.2f} times that.")
        same = all(one == found["losses"] for one in losses)
        print(f"Losses of {steps} steps are {'equal' if same else 'NOT equal'} to the bit.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="1.5b")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--states", nargs="+", choices=STATES, default=STATES)
    parser.add_argument("--held", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--on", choices=sorted(LIMITS), default="data")
    parser.add_argument("--worker", type=Path)
    parser.add_argument("--way")
    parser.add_argument("--limit", type=float, default=0.0)
    asked = parser.parse_args()
    if asked.worker is not None:
        print(json.dumps(trained(asked.worker, asked.way, asked.limit, asked.on)))
    else:
        with tempfile.TemporaryDirectory(dir=asked.folder) as made:
            main(asked, Path(made))
