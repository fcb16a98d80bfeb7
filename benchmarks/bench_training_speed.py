"""Seconds a step against `transformers.Trainer` with the same names frozen, and against the floor.

Both run in turns in one process, on the same data, batch, threads and dtype, so that a busy machine
slows both. The floor is the matrix products of our step alone: its FLOPs, counted, over the rate
measured on this machine for products of the same shapes. `--processor` counts the processor's time
in place of the clock's: with one thread the two are equal on a quiet machine, and only the clock
waits for other programs on a busy one.

    python -m benchmarks.bench_training_speed [--large] [--threads N] [--rounds N] [--processor]
    python -m benchmarks.bench_training_speed --model FOLDER    # what scripts.smol_model writes

With `--model` the first epoch stands apart, in which no output of the frozen blocks is kept yet.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, PreTrainedModel

from benchmarks.training import (
    median,
    nano,
    our_loop,
    random_examples,
    seconds_of,
    tiled_model,
    trainer_seconds,
)
from qwen_ui.data import Examples
from qwen_ui.engine.loop import Loop
from qwen_ui.freeze import FreezePlan, preset
from qwen_ui.model import open_model


def compare(
    label: str,
    model: PreTrainedModel,
    plan: FreezePlan,
    examples: Examples,
    batch_size: int,
    rounds: int,
    steps: int,
    now: Callable[[], float],
) -> None:
    loop, _ = our_loop(model, plan, examples, batch_size)
    epoch = -(-len(examples.items) // batch_size)
    first = seconds_of(loop.step, range(1, epoch + 1), now)[1:]
    ours: list[float] = []
    theirs: list[float] = []
    at = epoch + 1
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            ours += seconds_of(loop.step, range(at, at + steps), now)
            at += steps
            theirs += trainer_seconds(model, examples, batch_size, steps + 2, folder, now)
    flops, floor = floor_seconds(loop, at, now)
    print(
        f"{label}: ours {median(ours) * 1e3:.0f} ms (first epoch {median(first) * 1e3:.0f}), "
        f"Trainer {median(theirs) * 1e3:.0f} ms, "
        f"{median(theirs) / median(ours):.2f} times faster (fastest steps: "
        f"{min(theirs) / min(ours):.2f}); {flops / 1e9:.1f} GFLOP a step, products alone "
        f"{floor * 1e3:.0f} ms, fastest step {min(ours) / floor:.2f} times that",
        flush=True,
    )


def floor_seconds(loop: Loop, step: int, now: Callable[[], float]) -> tuple[float, float]:
    """FLOPs of a step, and the seconds that its matrix products take by themselves, at best."""
    with FlopCounterMode(display=False) as counter, _Products() as products:
        loop.step(step)
    return float(counter.get_total_flops()), sum(
        count * _product_seconds(shape, now) for shape, count in products.shapes.items()
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


def _product_seconds(product: tuple, now: Callable[[], float]) -> float:
    left_shape, right_shape, left_stride, right_stride, dtype = product
    right = torch.empty_strided(right_shape, right_stride, dtype=dtype).normal_()
    left = torch.empty_strided(left_shape, left_stride, dtype=dtype).normal_()
    best = float("inf")
    for _ in range(15):
        begun = now()
        torch.mm(left, right)
        best = min(best, now() - begun)
    return best


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--large", action="store_true", help="the 1.5B's shape too (8 GB)")
    parser.add_argument("--only-large", action="store_true")
    parser.add_argument("--processor", action="store_true", help="count the processor's time")
    parser.add_argument("--plans", default="attention,bitfit,full")
    parser.add_argument("--model", help="folder of a model to measure in place of nano, 4 x 128")
    options = parser.parse_args()
    now = time.process_time if options.processor else time.perf_counter
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads, {'processor' if options.processor else 'clock'} time")
    if options.model:
        for name in options.plans.split(","):
            model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
            examples = random_examples(model.config.vocab_size, 16, 128)
            label = f"{Path(options.model).name}, {name}, 4 x 128"
            compare(label, model.train(), preset(name), examples, 4, options.rounds, 4, now)
        return
    examples = random_examples(4096, 16, 128)
    if not options.only_large:
        for name in options.plans.split(","):
            label = f"nano, {name}, 8 x 128"
            rounds = options.rounds
            compare(label, nano(), preset(name), examples, 8, rounds, 8, now)
    if options.large or options.only_large:
        configuration = open_model("qwen2.5-1.5b-instruct").configuration
        model = tiled_model(configuration, torch.bfloat16)
        examples = random_examples(configuration.vocab_size, 2, 128, share=0.5)
        compare(
            "1.5B shape, bf16, attention on the top 4, 1 x 128, loss on half",
            model,
            preset("attention"),
            examples,
            1,
            2,
            3,
            now,
        )


if __name__ == "__main__":
    main()
