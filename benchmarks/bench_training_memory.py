"""Peak memory: the 1.5B's shape in bfloat16, attention-only on the top 4, 1 x 512 tokens.

Against what is needed: weights, kept prefix, the suffix's saved activations, the trainable state.
Libraries and the interpreter are counted in the peak and named apart. Needs about 6 GB.

    python -m benchmarks.bench_training_memory [--length N]
    python -m benchmarks.bench_training_memory --model FOLDER    # what scripts.smol_model writes

With `--model`: peaks of `train` and of `transformers.Trainer` with the same names frozen, 4 x 128
tokens, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
from multiprocessing.pool import Pool

import psutil
import torch
from transformers import AutoModelForCausalLM

from benchmarks.training import our_loop, random_examples, tiled_model, trainer_seconds
from qwen_ui.freeze import apply, preset, resolve
from qwen_ui.freeze.cost.live_bytes import SavedBytes
from qwen_ui.model import open_model
from qwen_ui.paths import ASSETS

MIB = 1024**2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--model", help="folder of a model to train beside Trainer")
    options = parser.parse_args()
    if options.model:
        for plan in ("attention", "bitfit", "full"):
            print(
                f"{plan}: ours {our_peak(options.model, plan) / MIB:.0f} MiB, "
                f"Trainer {apart(trainer_peak, options.model, plan) / MIB:.0f}",
                flush=True,
            )
        return
    length = options.length
    libraries = psutil.Process().memory_info().rss
    configuration = open_model("qwen2.5-1.5b-instruct").configuration
    model = tiled_model(configuration, torch.bfloat16)
    examples = random_examples(configuration.vocab_size, 1, length, share=0.5)
    loop, _ = our_loop(model, preset("attention"), examples, 1)
    saved = SavedBytes(model)
    with torch.autograd.graph.saved_tensors_hooks(saved.pack, lambda t: t):
        loop.step(1)
    loop.step(2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    trained = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
    kept = length * configuration.hidden_size * 2
    state = loop.optimizer.state_bytes() + trained
    needed = weights + kept + saved.total + state
    print(
        f"peak {peak / MIB:.0f} MiB (libraries {libraries / MIB:.0f}); "
        f"needed {needed / MIB:.0f} MiB: "
        f"weights {weights / MIB:.0f}, kept prefix {kept / MIB:.1f}, suffix activations "
        f"{saved.total / MIB:.0f}, trainable state {state / MIB:.0f}; peak / needed "
        f"{peak / needed:.2f}, without libraries {(peak - libraries) / needed:.2f}"
    )


def our_peak(model: str, plan: str) -> int:
    """Of a whole run by the command line: evaluation, samples, movement and delta included."""
    data = ASSETS / "data"
    with tempfile.TemporaryDirectory() as folder:
        words = [
            *(sys.executable, "-m", "qwen_ui", "train", model, "--preset", plan, "--json"),
            *("--data", str(data / "kjv-train.txt"), "--eval-data", str(data / "kjv-eval.txt")),
            *("--steps", "5", "--batch-size", "4", "--sequence-length", "128"),
            *("--learning-rate", "1e-5", "--output", f"{folder}/run"),
        ]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)["peak_bytes"]


def apart(function, *arguments):
    """Call it in a process of its own, whose peak is nobody else's."""
    with Pool(1, context=multiprocessing.get_context("spawn")) as pool:
        return pool.apply(function, arguments)


def trainer_peak(folder: str, plan: str) -> int:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    apply(resolve(preset(plan), open_model(model)), model)
    examples = random_examples(model.config.vocab_size, 16, 128)
    with tempfile.TemporaryDirectory() as output:
        trainer_seconds(model, examples, 4, 5, output)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
