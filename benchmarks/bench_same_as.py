"""Whether two versions of the program train alike to the last bit.

Three short runs on nano, each in both versions, by the command line, in a home of their own:
attention on the last blocks with evaluation data, BitFit with packed samples, and everything with
gradient accumulation. The losses of all steps, the evaluation losses and every tensor of the
deltas are compared; what does not differ by a bit is equal.

    python -m benchmarks.bench_same_as [OTHER] [CHECKOUT]

OTHER is a checkout, or a git revision of CHECKOUT; by default what was last committed is compared
with this checkout as it is. Exits with 1 where a run differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

HERE = Path(__file__).resolve().parents[1]
TRAIN, EVAL, CHAT = (
    f"assets/data/{name}" for name in ("kjv-train.txt", "kjv-eval.txt", "kjv-chat.jsonl")
)
# Options by names that every version takes.
RUNS: dict[str, tuple[str, ...]] = {
    "attention": ("--preset", "attention", "--data", TRAIN, "--eval-data", EVAL, "--seed", "3"),
    "bitfit": ("--preset", "bitfit", "--data", CHAT, "--seed", "1", "--packing"),
    "full": (
        *("--preset", "full", "--data", TRAIN, "--seed", "0"),
        *("--batch-size", "4", "--accumulation", "2"),
    ),
}
COMPARED = ("losses", "eval_loss_before", "eval_loss_after", "prefix_blocks")


@contextmanager
def checkout_of(named: str, repository: Path) -> Iterator[Path]:
    """The folder of a checkout, or of a revision checked out for as long as it is needed."""
    if Path(named).is_dir():
        yield Path(named).resolve()
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "checkout"
        git = ["git", "-C", str(repository), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(folder), named], check=True)
        try:
            yield folder
        finally:
            subprocess.run([*git, "remove", "--force", str(folder)], check=True)


def train(checkout: Path, options: tuple[str, ...], steps: int, home: Path) -> dict[str, Any]:
    """What `train --json` of this checkout says of a run."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "qwen_ui", "train", "nano", *options),
            *("--steps", str(steps), "--threads", "1", "--json"),
        ],
        cwd=checkout,
        env={
            **os.environ,
            "PYTHONPATH": str(checkout),
            "QWEN_UI_HOME": str(home),
            "HF_HUB_OFFLINE": "1",
            "OMP_WAIT_POLICY": "PASSIVE",
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(ended.stdout)


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """In what two runs differ; nothing where they are equal to the last bit."""
    found = [name for name in COMPARED if first[name] != second[name]]
    ours, theirs = load_file(first["delta"]), load_file(second["delta"])
    if ours.keys() != theirs.keys():
        return [*found, "the names of the trained tensors"]
    return found + [name for name, tensor in ours.items() if not same_bits(tensor, theirs[name])]


def same_bits(first: torch.Tensor, second: torch.Tensor) -> bool:
    if (first.dtype, first.shape) != (second.dtype, second.shape):
        return False
    pair = (tensor.contiguous().view(-1).view(torch.uint8) for tensor in (first, second))
    return torch.equal(*pair)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("other", nargs="?", default="HEAD", help="a checkout or a git revision")
    parser.add_argument("checkout", nargs="?", type=Path, default=HERE)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    equal = True
    with (
        checkout_of(options.other, options.checkout) as other,
        tempfile.TemporaryDirectory() as home,
    ):
        for name, given in RUNS.items():
            first, second = (
                train(folder, given, options.steps, Path(home) / str(number))
                for number, folder in enumerate((options.checkout.resolve(), other))
            )
            differ = differences(first, second)
            tensors = len(load_file(first["delta"]))
            said = (
                f"{len(differ)} differ: {', '.join(differ[:4])}" if differ else "equal to the bit"
            )
            steps = len(first["losses"])
            print(f"{name}: {steps} losses, {tensors} tensors of the delta: {said}", flush=True)
            equal = equal and not differ
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
