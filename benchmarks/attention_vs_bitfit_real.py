"""The experiment of docs/attention-vs-bitfit.md on a real model, SmolLM2-135M, and chats.

Attention, BitFit, MLP, its gate and up projections, norms and LoRA over the top 2, 4 and 8 blocks;
each at the rate that the learning-rate finder finds on a seed of its own, then on three seeds: 40
steps of 4 sequences of up to 64 tokens, one thread. Every run is a line of
docs/attention-vs-bitfit-smollm2.jsonl as soon as it ends, and is not run again:

    python -m scripts.smol_model FOLDER
    python -m benchmarks.attention_vs_bitfit_real FOLDER [--run]

Without `--run` the table of the page is made from the lines.
"""

from __future__ import annotations

import argparse
from itertools import product
from statistics import fmean, stdev

import torch

from benchmarks.attention_vs_bitfit import LORA_RANK, RESULTS
from benchmarks.bench_rates import put
from benchmarks.rate_runs import SMOL, Case, Runs
from qwen_ui.freeze import FreezePlan, Rule, preset

PAGE = RESULTS.with_suffix(".md")
LINES = RESULTS.with_name("attention-vs-bitfit-smollm2.jsonl")
STEPS, SEEDS = 40, (0, 1, 2)
DEPTHS = (4, 2, 8)  # what is compared most goes first
KINDS = ("attention", "BitFit", "MLP", "gate and up", "norms", "LoRA")
PROJECTIONS = ("mlp.gate_proj.weight", "mlp.up_proj.weight")


def case_of(kind: str, depth: int) -> Case:
    layers, name = f"last:{depth}", f"{kind}, top {depth}"
    if kind == "gate and up":
        rule = Rule(layers=layers, kinds=PROJECTIONS)
        return Case(name, FreezePlan(name=name, rules=(rule,)))
    if kind == "LoRA":
        return Case(name, preset("attention", layers), LORA_RANK)
    return Case(name, preset(kind.lower(), layers))


def table(source: str) -> str:
    lines = [
        "| plan | trainable | rate | loss after | gain | CPU seconds |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for depth, kind in product(sorted(DEPTHS), KINDS):
        runs = Runs(source, SMOL, case_of(kind, depth), LINES)
        done = [t for t in runs.known.values() if t.steps == STEPS and t.seed in SEEDS]
        after = [t.after for t in done if t.after is not None]
        if len(after) < len(SEEDS):
            continue
        trainable = "adapters" if kind == "LoRA" else f"{runs.selection.trainable_parameters:,}"
        cells = (
            runs.case.name,
            trainable,
            f"{done[0].rate:g}",
            f"{fmean(after):.3f} ± {stdev(after):.3f}",
            f"{fmean(t.gain for t in done):.3f}",
            f"{fmean(t.seconds for t in done):.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--run", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for depth, kind in product(DEPTHS, KINDS):
        if options.run:
            runs = Runs(options.model, SMOL, case_of(kind, depth), LINES)
            rate = runs.found(STEPS)
            for seed in SEEDS:
                if rate is not None:
                    runs.run(STEPS, rate, seed)
    put(PAGE, "smollm2", table(options.model))


if __name__ == "__main__":
    main()
