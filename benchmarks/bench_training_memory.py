"""Peak memory: the 1.5B's shape in bfloat16, attention-only on the top 4, 1 x 512 tokens.

Against what is needed: weights, kept prefix, the suffix's saved activations, the trainable state.
Libraries and the interpreter are counted in the peak and named apart. Needs about 6 GB.

    python -m benchmarks.bench_training_memory [--length N]
"""

from __future__ import annotations

import argparse
import resource

import psutil
import torch

from benchmarks.training import our_loop, random_examples, tiled_model
from qwen_ui.freeze import preset
from qwen_ui.freeze.cost.live_bytes import SavedBytes
from qwen_ui.model import open_model

MIB = 1024**2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--length", type=int, default=512)
    length = parser.parse_args().length
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


if __name__ == "__main__":
    main()
