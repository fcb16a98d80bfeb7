"""Losses step by step against a plain loop over the full model: 50 steps, float32.

Where the two differ by more than 1e-5, the plain loop is run once more on the same weights, each of
them nudged by at most half a unit in its last place: by as much does it differ from itself.

    python -m benchmarks.bench_training_equality [--steps N]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from transformers import GPT2Config, LlamaConfig, PreTrainedModel

from benchmarks.training import nano, our_loop, plain_losses, random_examples, random_model
from qwen_ui.freeze import FreezePlan, Rule, preset

AIM = 1e-5
PLANS = {
    "attention": preset("attention"),
    "bitfit": preset("bitfit"),
    "mlp": preset("mlp", "last:4"),
    "top 1": FreezePlan(rules=(Rule(layers="last:1"),)),
    "top 14": FreezePlan(rules=(Rule(layers="last:14"),)),
    "full": preset("full"),
}


def llama() -> PreTrainedModel:
    shape = {"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 16}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return random_model(LlamaConfig(vocab_size=1024, **shape, **heads), torch.float32)


def gpt2() -> PreTrainedModel:
    still = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    shape = {"n_embd": 64, "n_layer": 16, "n_head": 4, "n_positions": 128}
    return random_model(GPT2Config(vocab_size=1024, **shape, **still), torch.float32)


def compare(label: str, make: Callable[[], PreTrainedModel], words: int, steps: int) -> None:
    examples = random_examples(words, 24, 64, share=0.7)
    for name, plan in PLANS.items():
        if name == "bitfit" and label == "llama":
            print(f"{label}, bitfit: no biases, nothing to train")
            continue
        loop, _ = our_loop(make(), plan, examples, 4)
        ours = [loop.step(step).loss for step in range(1, steps + 1)]
        theirs = plain_losses(make(), plan, examples, 4, steps)
        worst = largest_difference(ours, theirs)
        print(
            f"{label}, {name}: {loop.trainee.prefix_blocks} blocks kept, loss {ours[0]:.4f} to "
            f"{ours[-1]:.4f}, largest relative difference {worst:.1e}",
            flush=True,
        )
        if worst > AIM:
            itself = plain_losses(nudged(make()), plan, examples, 4, steps)
            off = largest_difference(itself, theirs)
            print(f"    the plain loop, nudged, against itself: {off:.1e}", flush=True)


def largest_difference(losses: list[float], others: list[float]) -> float:
    return max(abs(a - b) / b for a, b in zip(losses, others, strict=True))


def nudged(model: PreTrainedModel) -> PreTrainedModel:
    """Every weight off by up to half of float32's precision, up or down at random."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.rand(parameter.shape, generator=generator, dtype=torch.float64) - 0.5
            parameter.copy_(parameter.double() * (1 + noise * torch.finfo(torch.float32).eps))
    return model


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=50)
    steps = parser.parse_args().steps
    compare("nano", nano, 4096, steps)
    compare("llama", llama, 1024, steps)
    compare("gpt2", gpt2, 1024, steps)


if __name__ == "__main__":
    main()
