"""Seconds a step against `transformers.Trainer` with the same names frozen, and against the floor.

Both run in turns in one process, on the same data, batch, threads and dtype, so that a busy machine
slows both. The floor is the matrix products of our step alone: its FLOPs, counted, over the rate
measured on this machine for products of the same shapes.

    python -m benchmarks.bench_training_speed [--large] [--threads N] [--rounds N]
"""

from __future__ import annotations

import argparse
import tempfile
import time

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel

from benchmarks.training import (
    median,
    nano,
    our_loop,
    random_examples,
    random_model,
    seconds_of,
    trainer_seconds,
)
from qwen_ui.freeze import FreezePlan, preset
from qwen_ui.model import open_model
from qwen_ui.train.data import Examples
from qwen_ui.train.loop import Loop


def compare(
    label: str,
    model: PreTrainedModel,
    plan: FreezePlan,
    examples: Examples,
    batch_size: int,
    rounds: int,
    steps: int,
) -> None:
    loop, _ = our_loop(model, plan, examples, batch_size)
    epoch = -(-len(examples.items) // batch_size)
    seconds_of(loop.step, range(1, epoch + 1))
    ours: list[float] = []
    theirs: list[float] = []
    at = epoch + 1
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            ours += seconds_of(loop.step, range(at, at + steps))
            at += steps
            theirs += trainer_seconds(model, examples, batch_size, steps + 2, folder)
    flops, floor = floor_seconds(loop, at)
    print(
        f"{label}: ours {median(ours) * 1e3:.0f} ms, Trainer {median(theirs) * 1e3:.0f} ms, "
        f"{median(theirs) / median(ours):.2f} times faster (fastest steps: "
        f"{min(theirs) / min(ours):.2f}); {flops / 1e9:.1f} GFLOP a step, products alone "
        f"{floor * 1e3:.0f} ms, fastest step {min(ours) / floor:.2f} times that",
        flush=True,
    )


def floor_seconds(loop: Loop, step: int) -> tuple[float, float]:
    """FLOPs of a step, and the seconds that its matrix products take by themselves, at best."""
    with FlopCounterMode(display=False) as counter, _Products() as products:
        loop.step(step)
    return float(counter.get_total_flops()), sum(
        count * _product_seconds(*shape) for shape, count in products.shapes.items()
    )


class _Products(torch.utils._python_dispatch.TorchDispatchMode):
    """Counts matrix products by shape and dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: dict[tuple, int] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket._qualified_op_name
        if name in {"aten::mm", "aten::addmm"}:
            left, right = args[-2:]
            key = (left.shape, right.shape, left.stride(), right.stride(), left.dtype)
            self.shapes[key] = self.shapes.get(key, 0) + 1
        return func(*args, **(kwargs or {}))


def _product_seconds(left_shape, right_shape, left_stride, right_stride, dtype) -> float:
    right = torch.empty_strided(right_shape, right_stride, dtype=dtype).normal_()
    left = torch.empty_strided(left_shape, left_stride, dtype=dtype).normal_()
    best = float("inf")
    for _ in range(7):
        begun = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - begun)
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--large", action="store_true", help="the 1.5B's shape too (8 GB)")
    parser.add_argument("--only-large", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads")
    examples = random_examples(4096, 16, 128)
    if not options.only_large:
        for name in ("attention", "bitfit", "full"):
            compare(f"nano, {name}, 8 x 128", nano(), preset(name), examples, 8, options.rounds, 8)
    if options.large or options.only_large:
        configuration = open_model("qwen2.5-1.5b-instruct").configuration
        model = random_model(configuration, torch.bfloat16)
        examples = random_examples(configuration.vocab_size, 2, 128, share=0.5)
        compare(
            "1.5B shape, bf16, attention on the top 4, 1 x 128, loss on half",
            model,
            preset("attention"),
            examples,
            1,
            2,
            3,
        )


if __name__ == "__main__":
    main()
